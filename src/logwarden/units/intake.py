"""From batches of lines to units: parse, mask, find the template, place in a window."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from logwarden.events import Batch, ParsedLine
from logwarden.mask import line_text, mask
from logwarden.outcome import ACTIVITY_SECONDS, Activity, Outcome, RejectedLine
from logwarden.parse import LineParser
from logwarden.templates import Templates
from logwarden.units.clock import StatedClock
from logwarden.units.unit import Unit, UnitConfig
from logwarden.units.windows import Silence, Windows

_KEPT_OF_REJECTED = 8192
_UNKNOWN_HOST = "unknown"
_BACK_IN_TIME = 3600.0


class StreamState:
    """The windows of one stream, its clock where lines carry no receive time, and where its hosts are."""

    __slots__ = ("addresses", "clock", "listener", "windows")

    def __init__(self, windows: Windows) -> None:
        self.windows = windows
        self.clock = StatedClock()
        self.listener: str | None = None
        self.addresses: dict[str, str] = {}


class Intake:
    """Cuts streams into units.

    Parameters
    ----------
    templates
        Gives each masked line its template id.
    unit
        How streams are cut.
    silence
        Tells how unusual a host's silence is (see :data:`logwarden.units.windows.Silence`).
    """

    def __init__(self, templates: Templates, unit: UnitConfig, silence: Silence) -> None:
        self.streams: dict[str, StreamState] = {}
        self.parser = LineParser()
        self._templates = templates
        self._unit = unit
        self._silence = silence

    def process(self, batch: Batch, outcome: Outcome) -> list[Unit]:
        """Return the units that a batch closes; add rejected lines and activity to ``outcome``.

        This is the hot path: it runs for every line.
        """
        stream = self._stream(batch)
        windows, parse, id_of = stream.windows, self.parser.parse, self._templates.id_of
        add, addresses, clock = windows.add, stream.addresses, stream.clock
        lines, positions, received, peers = batch.lines, batch.positions, batch.received, batch.peers
        closed: list[Unit] = []
        activity: Counter[tuple[int, str]] = Counter()
        for i, text in enumerate(lines):
            arrival = None if received is None else received[i]
            # A stamp without a year is read as the one nearest to the line's arrival, or to the line before.
            parsed = parse(text, (clock.now or None) if arrival is None else arrival)
            if not isinstance(parsed, ParsedLine):
                outcome.rejected.append(_rejected(batch, i, parsed.reason))
                continue
            host = parsed.host or (peers[i] if peers else "") or _UNKNOWN_HOST
            if arrival is None:
                moment, stated = clock.place(parsed.time), None
                if moment < windows.clock - _BACK_IN_TIME:
                    closed += windows.restart()
            else:
                moment, stated = arrival, parsed.time
            units = add(host, moment, positions[i], text, id_of(line_text(parsed.app, mask(parsed.message))), stated)
            if units:
                closed += units
            if peers:
                addresses[host] = peers[i]
            activity[int(moment) // ACTIVITY_SECONDS, host] += 1
        outcome.lines += len(lines)
        outcome.activity += [Activity(slot * ACTIVITY_SECONDS, host, n) for (slot, host), n in activity.items()]
        return closed

    def advance(self, now: float) -> list[Unit]:
        """Return the units that close when the clock of every stream passes to ``now`` (Unix seconds)."""
        return [unit for stream in self.streams.values() for unit in stream.windows.advance(now)]

    def finish(self) -> list[Unit]:
        """Return the units that are still open at the end of the input."""
        return [unit for stream in self.streams.values() for unit in stream.windows.finish()]

    def units(self, batches: Iterable[Batch]) -> list[Unit]:
        """Return all units of a finished input, for training and evaluation."""
        outcome = Outcome()
        units = [unit for batch in batches for unit in self.process(batch, outcome)]
        return units + self.finish()

    def _stream(self, batch: Batch) -> StreamState:
        stream = self.streams.get(batch.stream)
        if stream is None:
            stream = StreamState(Windows(batch.stream, self._unit, self._silence))
            self.streams[batch.stream] = stream
        if batch.listener:
            stream.listener = batch.listener
        return stream

    def to_state(self) -> dict[str, Any]:
        """Return open windows and clocks as plain values, with the text of templates that nobody knows."""
        known = self._templates.known
        unknown = {t for stream in self.streams.values() for t in stream.windows.open_templates() if t not in known}
        return {
            "unknown_texts": [self._templates.text_of(template) or "" for template in sorted(unknown)],
            "streams": [
                [stream.windows.to_state(), stream.clock.now, stream.listener, stream.addresses]
                for stream in self.streams.values()
            ],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`to_state`."""
        for text in state["unknown_texts"]:
            self._templates.id_of(text)
        for windows, clock, listener, addresses in state["streams"]:
            stream = StreamState(Windows.from_state(windows, self._unit, self._silence))
            stream.clock = StatedClock(clock)
            stream.listener = listener
            stream.addresses = addresses
            self.streams[windows["stream"]] = stream


def _rejected(batch: Batch, i: int, reason: str) -> RejectedLine:
    return RejectedLine(
        stream=batch.stream,
        position=batch.positions[i],
        received=None if batch.received is None else batch.received[i],
        peer=None if batch.peers is None else batch.peers[i],
        reason=reason,
        text=batch.lines[i][:_KEPT_OF_REJECTED],
    )
