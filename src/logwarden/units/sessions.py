"""Gather the lines of a stream into sessions, by a key that a regular expression finds in them."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Any

from logwarden.units.unit import Unit, UnitConfig

MOST_SESSIONS = 20_000
"""Sessions that are open at a time; one more closes the one that has been idle the longest."""

MOST_LINES = 100_000
"""Lines that open sessions hold together; more close the sessions that have been idle the longest."""

LONGEST_SESSION = 4096
"""Lines of one session; the next line with its key opens another."""


class KeyFinder:
    """Finds the key of a line: the expression's first group, or the whole match where it has none. Empty: no key."""

    def __init__(self, expression: str) -> None:
        self._expression = re.compile(expression)

    def __call__(self, text: str) -> str:
        match = self._expression.search(text)
        if match is None:
            return ""
        return (match[1] if self._expression.groups else None) or match[0]


class Sessions:
    """The open sessions of one stream.

    A session holds the lines with one key, of whatever host. It closes when no line came for ``idle_seconds`` by the
    stream's clock (the latest time among its lines, or what :meth:`advance` says), when it is too long, when too much
    is open, or at the end of the input. A line without a key is a unit of its own. What comes out is a pure function
    of the lines and clock values that went in, however they were batched.
    """

    def __init__(self, stream: str, config: UnitConfig) -> None:
        self.stream = stream
        self.clock = 0.0
        self._idle = config.idle_seconds
        self._key_of = KeyFinder(config.key)
        # By key, with the clock at the last line; the session that has been idle the longest comes first.
        self._open: OrderedDict[str, tuple[float, Unit]] = OrderedDict()
        self._held = 0

    def add(
        self, host: str, time: float, position: int, text: str, template: int, stated: float | None
    ) -> list[Unit] | None:
        """Add a line; return the sessions that this closes, in order, or None.

        Parameters are those of :meth:`logwarden.units.windows.Windows.add`; ``stated`` tells a session nothing.
        """
        self.clock = max(self.clock, time)
        closed = list(self._idle_ones())
        key = self._key_of(text)
        if not key:
            return [*closed, _with_line(Unit(host, self.stream, time, session=""), position, time, text, template)]
        _, unit = self._open.pop(key, (0.0, None))
        if unit is None:
            unit = Unit(host, self.stream, time, session=key)
        _with_line(unit, position, time, text, template)
        self._open[key] = (self.clock, unit)
        self._held += 1
        if len(unit.texts) >= LONGEST_SESSION:
            closed.append(self._close(key))
        while len(self._open) > MOST_SESSIONS or self._held > MOST_LINES:
            closed.append(self._close(next(iter(self._open))))
        return closed or None

    def advance(self, now: float) -> list[Unit]:
        """Let the clock pass to ``now`` (Unix seconds) and return the sessions that this closes."""
        if not self.clock or now <= self.clock:
            return []
        self.clock = now
        return list(self._idle_ones())

    def finish(self) -> list[Unit]:
        """Close every session at the end of the input."""
        units = [unit for _, unit in self._open.values()]
        self._open.clear()
        self._held = 0
        return units

    def restart(self) -> list[Unit]:
        """Close every session and start over, because the stream's time went back."""
        self.clock = 0.0
        return self.finish()

    def open_units(self) -> Iterable[Unit]:
        """Return the open sessions."""
        return (unit for _, unit in self._open.values())

    def _idle_ones(self) -> Iterator[Unit]:
        while self._open:
            key, (last, _) = next(iter(self._open.items()))
            if self.clock - last < self._idle:
                return
            yield self._close(key)

    def _close(self, key: str) -> Unit:
        _, unit = self._open.pop(key)
        self._held -= len(unit.texts)
        return unit

    def to_state(self) -> dict[str, Any]:
        """Return plain values from which :meth:`restore` goes on."""
        return {
            "stream": self.stream,
            "clock": self.clock,
            "open": [
                [last, u.host, u.slot, u.session, u.positions, u.times, u.texts, u.templates]
                for last, u in self._open.values()
            ],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where :meth:`to_state` stopped."""
        self.clock = state["clock"]
        for last, host, slot, key, positions, times, texts, templates in state["open"]:
            unit = Unit(host, self.stream, slot, positions, times, texts, templates, session=key)
            self._open[key] = (last, unit)
            self._held += len(texts)


def _with_line(unit: Unit, position: int, time: float, text: str, template: int) -> Unit:
    unit.positions.append(position)
    unit.times.append(time)
    unit.texts.append(text)
    unit.templates.append(template)
    return unit
