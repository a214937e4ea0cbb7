"""One partition of the raw topic as a source of lines and ticks.

The clock of a partition is made from its lines: where one was received later than the one before, the seconds between
them pass as ticks. So reading again gives the same lines between the same ticks, whoever reads and whenever. Only at
the end of the partition the real time lets the clock go on, second by second, so that windows close and silence shows.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from operator import attrgetter

from confluent_kafka import KafkaError, Message

from logwarden.events import Batch
from logwarden.kafka.envelope import Line, decode, decode_complete, encode
from logwarden.outcome import RejectedLine
from logwarden.privacy import Privacy
from logwarden.sources.base import KEPT_OF_REJECTED, Item, Malformed, Tick

TICK_SECONDS = 1.0
# Lines on their way through a collector are waited for so long before the real time lets the clock go on, seconds.
_GRACE = 2.0
# After so many seconds without a line the clock stands still: it is the collection that stopped.
_HORIZON = 3600.0
# A collector's clock may run ahead by so much, seconds. What claims more would stop the clock of the partition.
_AHEAD = 300.0


class PartitionSource:
    """Messages of one partition that were consumed and not yet read by the loop.

    Parameters
    ----------
    stream
        ``TOPIC/PARTITION``.
    privacy
        Masks lines before anybody sees them; None for as they are.
    """

    def __init__(self, stream: str, privacy: Privacy | None = None) -> None:
        self.place = 0
        """Offset behind what was consumed."""
        self._stream = stream
        self._privacy = privacy
        self._clock = self._last_line = 0.0
        self._items: list[Item] = []
        self._kept: list[tuple[int, Sequence[Message]]] = []  # with the offset behind them

    def resume(self, place: int, clock: float) -> None:
        """Go on at the offset ``place``, where the detector's clock is ``clock`` (Unix seconds; 0: not begun)."""
        self.place = place
        self._clock = self._last_line = clock

    def read(self, block: int, *, timeout: float = 0.0) -> tuple[list[Item], int]:
        """Return what was consumed since the last call, and the offset behind it; never waits."""
        items, self._items = self._items, []
        return items, max(block, self.place)

    def feed(self, messages: Sequence[Message]) -> None:
        """Take messages of this partition, in order; marks of its end among them."""
        offsets: list[int] = []
        lines: list[Line] = []
        latest = time.time() + _AHEAD
        place = self.place
        for message in messages:
            offset = message.offset() or 0
            error = message.error()
            if error is not None:
                if error.code() == KafkaError._PARTITION_EOF:  # it may stand behind marks of transactions
                    place = max(place, offset)
                continue
            if offset < place:  # fetched twice, when the partition went away and came back at once
                continue
            line = self._line(message)
            if line.received > latest:
                line.received = min(_written(message), latest)
            offsets.append(offset)
            lines.append(line)
            place = offset + 1
        self.place = place
        if lines:
            self._kept.append((place, messages))
            self._cut(offsets, lines)

    def pass_time(self, end: int, asked: float) -> None:
        """Let the clock go on if there was nothing behind what was consumed when ``end`` was asked for.

        Parameters
        ----------
        end
            Offset behind the last message of the partition.
        asked
            Unix seconds at which that was so.
        """
        if self.place >= end and self._clock:
            self._tick_until(min(asked - _GRACE, self._last_line + _HORIZON))

    def originals(self, offsets: Sequence[int]) -> list[Message]:
        """Return messages that :meth:`forget` has not dropped, by offset; masked where lines are."""
        wanted = set(offsets)
        found = [one for _, batch in self._kept for one in batch if one.error() is None and one.offset() in wanted]
        return found if self._privacy is None else [self._masked(one, self._privacy) for one in found]

    def forget(self, place: int) -> None:
        """Drop the messages before an offset: their results are stored. Others may wait to be read."""
        self._kept = [(end, batch) for end, batch in self._kept if end > place]

    # ------------------------------------------------------------------ reading

    def _line(self, message: Message) -> Line:
        value = message.value()
        line = decode_complete(value) or decode(value, key=message.key(), written=_written(message))
        if (privacy := self._privacy) is None:
            return line
        line.text, line.peer, line.reason = map(privacy.text, (line.text, line.peer, line.reason))
        return line

    def _masked(self, message: Message, privacy: Privacy) -> Message:
        """Return a message with what is left of its line, in an envelope of ours."""
        line, key = self._line(message), message.key()
        text = line.text.encode("utf-8", "surrogateescape")
        return Message(
            topic=message.topic(),
            partition=message.partition(),
            offset=message.offset(),
            timestamp=message.timestamp(),
            key=key and privacy.line(key),
            value=encode(
                text,
                received=line.received,
                peer=line.peer,
                listener=line.listener,
                reason=line.reason,
                late=line.late,
            ),
        )

    # ------------------------------------------------------------------ cutting

    def _cut(self, offsets: list[int], lines: list[Line]) -> None:
        """Cut into batches of lines that came the same way, ticks, and what cannot be read."""
        if self._add_whole(offsets, lines):
            return
        start = 0
        for i, line in enumerate(lines):
            jumps = line.received - self._clock > TICK_SECONDS and self._clock
            if i > start and (jumps or line.reason or _way(line) != _way(lines[start])):
                self._add(offsets[start:i], lines[start:i])
                start = i
            if jumps:
                self._tick_until(min(line.received, self._clock + _HORIZON))
            if line.received > self._clock:
                self._clock = self._last_line = line.received
            if line.reason:
                self._reject(offsets[i], line)
                start = i + 1
        if start < len(lines):
            self._add(offsets[start:], lines[start:])

    def _add_whole(self, offsets: list[int], lines: list[Line]) -> bool:
        """Add all lines as one batch if nothing cuts them: the common case, without a look at each line."""
        latest = max([line.received for line in lines])
        if not self._clock or latest - self._clock > TICK_SECONDS:
            return False
        if len(set(map(_way, lines))) > 1 or any(map(_reason, lines)):
            return False
        self._add(offsets, lines)
        if latest > self._clock:
            self._clock = self._last_line = latest
        return True

    def _add(self, offsets: list[int], lines: list[Line]) -> None:
        self._items.append(
            Batch(
                self._stream,
                offsets,
                [line.text for line in lines],
                [line.received for line in lines],
                [line.peer for line in lines],
                lines[0].listener or None,
                late=lines[0].late,
            )
        )

    def _reject(self, offset: int, line: Line) -> None:
        rejected = RejectedLine(
            self._stream, offset, line.received, line.peer or None, line.reason, line.text[:KEPT_OF_REJECTED], "read"
        )
        self._items.append(Malformed(range(offset, offset + 1), [rejected]))

    def _tick_until(self, now: float) -> None:
        """Add a tick for every whole second after the clock, up to ``now``."""
        first = math.floor(self._clock / TICK_SECONDS) + 1
        for second in range(first, math.floor(now / TICK_SECONDS) + 1):
            self._clock = second * TICK_SECONDS
            self._items.append(Tick(self._clock))


_way = attrgetter("listener", "late")
_reason = attrgetter("reason")


def _written(message: Message) -> float:
    return message.timestamp()[1] / 1000
