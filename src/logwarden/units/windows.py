"""Cut a stream into windows, host by host, by the stream's own clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from logwarden.units.unit import Unit, UnitConfig

# A host is reported silent while its silence is this many times its longest normal one; then it counts as gone.
_SILENT = 1.0
_GONE = 8.0
# When nobody sent anything for this long, it was the collection that stopped and not a device, seconds.
_OUTAGE = 600.0

Silence = Callable[[str, float], float]
"""From host and seconds without a line to how many times its longest normal silence that is; 0 if unknown."""


class Windows:
    """The open windows of one stream.

    The clock of a stream is the latest time among its lines, or what :meth:`advance` says. A window closes when it is
    full, when a line of its host falls into a later slot, or when the clock passes the end of its slot; at each slot's
    end the hosts that have been silent for too long give a unit of their own. What comes out is a pure function of the
    lines and clock values that went in, however they were batched.
    """

    def __init__(self, stream: str, config: UnitConfig, silence: Silence) -> None:
        self.stream = stream
        self.clock = 0.0
        self._silence = silence
        self._lines = config.lines
        self._seconds = config.seconds
        self._open: dict[str, Unit] = {}
        self._last: dict[str, tuple[float, int]] = {}
        self._next_tick = 0.0

    def add(
        self, host: str, time: float, position: int, text: str, template: int, stated: float | None
    ) -> list[Unit] | None:
        """Add a line; return the units that this closes, in order, or None.

        Parameters
        ----------
        host, position, text, template
            The line's device, position in the stream, raw text and template id.
        time
            Unix seconds by which the line is placed.
        stated
            Unix seconds that the line itself states, to compare with ``time``; None where that tells nothing.
        """
        closed: list[Unit] | None = None
        if time > self.clock:
            if time >= self._next_tick:
                closed = list(self._tick(time))
            self.clock = time
        unit = self._open.get(host)
        if unit is None:
            unit = self._open[host] = Unit(host, self.stream, time - time % self._seconds)
        self._last[host] = (time, position)
        unit.positions.append(position)
        # A late line joins the window that is open when it arrives.
        unit.times.append(time)
        unit.texts.append(text)
        unit.templates.append(template)
        if stated is not None:
            unit.clock_offset = stated - time
        if len(unit.texts) >= self._lines:
            closed = [*(closed or ()), unit]
            del self._open[host]
        return closed

    def advance(self, now: float) -> list[Unit]:
        """Let the clock pass to ``now`` (Unix seconds) and return the units that this closes."""
        if not self.clock or now <= self.clock:
            return []
        closed = list(self._tick(now)) if now >= self._next_tick else []
        self.clock = now
        return closed

    def finish(self) -> list[Unit]:
        """Close every window at the end of the input; after it nobody is waited for."""
        units = list(self._open.values())
        self._open.clear()
        self._last.clear()
        return units

    def restart(self) -> list[Unit]:
        """Close every window and start over, because the stream's time went back."""
        units = self.finish()
        self.clock = self._next_tick = 0.0
        return units

    def open_units(self) -> Iterable[Unit]:
        """Return the open windows."""
        return self._open.values()

    def _tick(self, now: float) -> Iterator[Unit]:
        slot = now - now % self._seconds
        for host, unit in list(self._open.items()):
            if unit.slot < slot:
                del self._open[host]
                yield unit
        yield from self._silent(slot, now)
        self._next_tick = slot + self._seconds

    def _silent(self, slot: float, now: float) -> Iterator[Unit]:
        if now - self.clock > _OUTAGE:
            self._last.clear()
            return
        for host, (since, position) in list(self._last.items()):
            ratio = self._silence(host, slot - since)
            if ratio >= _GONE:
                del self._last[host]
            elif ratio >= _SILENT:
                yield Unit(host, self.stream, slot, silent_since=since, silent_until=slot, positions=[position])

    def to_state(self) -> dict[str, Any]:
        """Return plain values from which :meth:`restore` goes on."""
        return {
            "stream": self.stream,
            "clock": self.clock,
            "next_tick": self._next_tick,
            "last": [[host, time, position] for host, (time, position) in self._last.items()],
            "open": [
                [u.host, u.slot, u.positions, u.times, u.texts, u.templates, u.clock_offset]
                for u in self._open.values()
            ],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where :meth:`to_state` stopped."""
        self.clock = state["clock"]
        self._next_tick = state["next_tick"]
        self._last = {host: (time, position) for host, time, position in state["last"]}
        for host, slot, positions, times, texts, templates, offset in state["open"]:
            unit = Unit(host, self.stream, slot, positions, times, texts, templates, clock_offset=offset)
            self._open[host] = unit
