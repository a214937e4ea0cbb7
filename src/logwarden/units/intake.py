"""From batches of lines to units: parse, mask, find the template, place in a window or session."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from logwarden.events import Batch, ParsedLine, Rejected
from logwarden.mask import line_text
from logwarden.outcome import ACTIVITY_SECONDS, Activity, Outcome, RejectedLine
from logwarden.parse import LineParser
from logwarden.templates import Templates
from logwarden.units.clock import StatedClock
from logwarden.units.flows import Flows, FlowWords
from logwarden.units.sessions import Sessions
from logwarden.units.unit import FLOW, SESSION, WINDOW, Unit, UnitConfig
from logwarden.units.windows import Silence, Windows

_KEPT_OF_REJECTED = 8192
_MOST_KNOWN = 16_384
_UNKNOWN_HOST = "unknown"
_BACK_IN_TIME = 3600.0


class StreamState:
    """The open units of one stream, its clock where lines carry no receive time, and by host its address and the
    listener that received it last.
    """

    __slots__ = ("addresses", "clock", "listeners", "open")

    def __init__(self, open_units: Windows | Sessions) -> None:
        self.open = open_units
        self.clock = StatedClock()
        self.listeners: dict[str, str] = {}
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
        # Units that a revision with units of another kind left open; they are judged with the next ones.
        self._left_open: list[Unit] = []
        # Host and template of lines seen before, whatever their time.
        self._known: dict[str, tuple[str, int]] = {}
        self._drops = templates.drops
        self._templates = templates
        self._unit = unit
        self._flow_words = FlowWords.from_json(unit.fields) if unit.kind == FLOW else None
        self._silence = silence

    def process(self, batch: Batch, outcome: Outcome) -> list[Unit]:
        """Return the units that a batch closes; add rejected lines and activity to ``outcome``.

        This is the hot path: it runs for every line.
        """
        stream = self._stream(batch)
        open_units, split, known = stream.open, self.parser.split, self._known
        add, clock = open_units.add, stream.clock
        lines, positions, received, peers = batch.lines, batch.positions, batch.received, batch.peers
        late, shift = batch.late, batch.shift
        closed = self._take_left_open()
        hosts: list[str] = []  # of the lines that are not rejected
        moments: list[float] = []
        rejected: set[int] = set()
        self._forget_texts()
        for i, text in enumerate(lines):
            arrival = None if received is None else received[i]
            # A stamp without a year is read as the one nearest to the line's arrival, or to the line before.
            near = (clock.now or None) if arrival is None else arrival - shift
            parts = split(text, near)
            if parts is not None and (repeated := known.get(parts[1])) is not None:
                stated: float | None = parts[0]
                host, template = repeated
            else:
                line = self._read(text, near, parts)
                if isinstance(line, Rejected):
                    outcome.rejected.append(_rejected(batch, i, line.reason))
                    rejected.add(i)
                    continue
                stated, host, template = line
            host = host or (peers[i] if peers else "") or _UNKNOWN_HOST
            if arrival is None:
                moment, stated = clock.place(stated), None
                if moment < open_units.clock - _BACK_IN_TIME:
                    closed += open_units.restart()
            else:
                moment = arrival
                if late:
                    stated = None
                elif shift and stated is not None:
                    stated += shift
            units = add(host, moment, positions[i], text, template, stated)
            if units:
                closed += units
            hosts.append(host)
            moments.append(moment)
        if peers:
            kept = [peer for i, peer in enumerate(peers) if i not in rejected] if rejected else peers
            stream.addresses.update(zip(hosts, kept, strict=True))
        if batch.listener:
            stream.listeners.update(dict.fromkeys(hosts, batch.listener))
        outcome.lines += len(lines)
        outcome.activity += _activity(hosts, moments)
        return closed

    def _read(
        self, text: str, received: float | None, parts: tuple[float, str] | None
    ) -> tuple[float | None, str, int] | Rejected:
        """Parse a line: the time that it states, its host (empty: it names none) and its template.

        ``parts`` is what :meth:`LineParser.split` makes of it; lines with the same rest need not be parsed again.
        """
        line = self.parser.parse(text, received)
        if isinstance(line, Rejected):
            return line
        template = self._templates.id_of(self._text(line))
        if parts is not None and self.parser.repeats(line, *parts):
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[parts[1]] = line.host, template
        return line.time, line.host, template

    def _forget_texts(self) -> None:
        """Ask anew for all templates once texts were dropped: those of lines that go on coming have to stay."""
        if self._drops != self._templates.drops:
            self._drops = self._templates.drops
            self._known.clear()

    def advance(self, now: float) -> list[Unit]:
        """Return the units that close when the clock of every stream passes to ``now`` (Unix seconds)."""
        closed = self._take_left_open()
        return closed + [unit for stream in self.streams.values() for unit in stream.open.advance(now)]

    def finish(self) -> list[Unit]:
        """Return the units that are still open at the end of the input."""
        closed = self._take_left_open()
        return closed + [unit for stream in self.streams.values() for unit in stream.open.finish()]

    def units(self, batches: Iterable[Batch]) -> list[Unit]:
        """Return all units of a finished input, for training and evaluation."""
        outcome = Outcome()
        units = [unit for batch in batches for unit in self.process(batch, outcome)]
        return units + self.finish()

    def _stream(self, batch: Batch) -> StreamState:
        stream = self.streams.get(batch.stream)
        if stream is None:
            stream = StreamState(self._new(batch.stream, self._unit.kind))
            self.streams[batch.stream] = stream
        return stream

    def _new(self, name: str, kind: str) -> Windows | Sessions:
        if kind == SESSION:
            return Sessions(name, self._unit)
        if kind == FLOW:
            return Flows(name, self._unit, self._silence, self._templates)
        return Windows(name, self._unit, self._silence)

    def _template(self, text: str, time: float) -> int:
        parsed = self.parser.parse(text, time)
        if not isinstance(parsed, ParsedLine):  # another version of the program accepted it
            return self._templates.id_of(text)
        return self._templates.id_of(self._text(parsed))

    def _text(self, line: ParsedLine) -> str:
        record = self._flow_words(line.message) if self._flow_words is not None else None
        return record or line_text(line.app, line.message)

    def _take_left_open(self) -> list[Unit]:
        units, self._left_open = self._left_open, []
        return units

    def to_state(self) -> dict[str, Any]:
        """Return open units and clocks as plain values."""
        return {
            "kind": self._unit.kind,
            "streams": [
                [stream.open.to_state(), stream.clock.to_state(), stream.listeners, stream.addresses]
                for stream in self.streams.values()
            ],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`to_state`, whatever the revision that left it.

        The templates of open lines are looked up again, and open units of another kind are closed by the next call.
        """
        kind = state.get("kind", WINDOW)
        for saved, clock, listeners, addresses in state["streams"]:
            stream = StreamState(self._restored(saved, kind))
            stream.clock = StatedClock.from_state(clock)
            # Earlier versions kept one for the whole stream.
            stream.listeners = listeners if isinstance(listeners, dict) else dict.fromkeys(addresses, listeners or "")
            stream.addresses = addresses
            self.streams[saved["stream"]] = stream

    def _restored(self, saved: dict[str, Any], kind: str) -> Windows | Sessions:
        restored = self._new(saved["stream"], kind)
        restored.restore(saved)
        for unit in restored.open_units():
            unit.templates = [self._template(text, time) for text, time in zip(unit.texts, unit.times, strict=True)]
        wanted = self._new(saved["stream"], self._unit.kind)
        if type(restored) is type(wanted):
            return restored
        self._left_open += restored.finish()
        return wanted


def _activity(hosts: Sequence[str], moments: Sequence[float]) -> list[Activity]:
    """Count lines by host and slot; most batches lie within one slot."""
    if not moments:
        return []
    first, last = int(min(moments)) // ACTIVITY_SECONDS, int(max(moments)) // ACTIVITY_SECONDS
    if first == last:
        return [Activity(first * ACTIVITY_SECONDS, host, n) for host, n in Counter(hosts).items()]
    slots = [int(moment) // ACTIVITY_SECONDS for moment in moments]
    counted = Counter(zip(slots, hosts, strict=True))
    return [Activity(slot * ACTIVITY_SECONDS, host, n) for (slot, host), n in counted.items()]


def _rejected(batch: Batch, i: int, reason: str) -> RejectedLine:
    return RejectedLine(
        stream=batch.stream,
        position=batch.positions[i],
        received=None if batch.received is None else batch.received[i],
        peer=None if batch.peers is None else batch.peers[i],
        reason=reason,
        text=batch.lines[i][:_KEPT_OF_REJECTED],
    )
