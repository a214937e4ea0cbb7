"""What pipelines have collected as a data set: the lines in their raw topics, as a detector would see them."""

from __future__ import annotations

import logging
import time
from array import array
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby, islice
from operator import attrgetter
from pathlib import Path
from typing import BinaryIO

import numpy as np

from logwarden.api.base import duration_seconds
from logwarden.datasets.chronological import Span, Times, recordings, split_times
from logwarden.datasets.dataset import Dataset
from logwarden.datasets.kept import Say, fetch_once
from logwarden.errors import InvalidInputError
from logwarden.events import Batch
from logwarden.kafka.envelope import Line, decode, decode_complete, encode
from logwarden.kafka.partition import PartitionSource
from logwarden.kafka.reading import first_since, partitions_of, read_to_end, reader
from logwarden.kafka.settings import KafkaSettings
from logwarden.privacy import Privacy
from logwarden.sources.base import Malformed
from logwarden.sources.files import BATCH_LINES

_log = logging.getLogger(__name__)
_LONGEST_URI = 1024
_way = attrgetter("listener", "late")


@dataclass(frozen=True, slots=True)
class RawTopic:
    """The raw topic of a pipeline; ``privacy`` masks its lines where the pipeline's detectors do."""

    settings: KafkaSettings
    privacy: Privacy | None = None

    @property
    def place(self) -> str:
        """Where it is, in one word: ``HOST:PORT/TOPIC``."""
        return f"{self.settings.bootstrap_servers}/{self.settings.topic.name}"


@dataclass(frozen=True, slots=True)
class CollectedLines:
    """Rows ``first`` to ``last`` (1-based) of a spooled partition."""

    path: Path
    stream: str
    first: int
    last: int

    @property
    def files(self) -> tuple[Path, ...]:
        """The one file."""
        return (self.path,)

    def batches(self) -> Iterator[Batch]:
        """Read the lines."""
        rows = islice(_rows(self.path), self.first - 1, self.last)
        while chunk := list(islice(rows, BATCH_LINES)):
            for (listener, late), alike in groupby(chunk, key=lambda row: _way(row[1])):
                offsets, lines = zip(*alike, strict=True)
                yield Batch(
                    self.stream,
                    offsets,
                    [line.text for line in lines],
                    [line.received for line in lines],
                    [line.peer for line in lines],
                    listener or None,
                    late=late,
                )


def load_collected(topics: Sequence[RawTopic], last: str, folder: Path, say: Say = _log.info) -> Dataset:
    """Read what was written to raw topics in the time before now, up to where they end now, and divide it by time.

    Every partition is a stream, in the order in which a detector reads it. No consumer group is joined and nothing is
    committed. The lines go through memory to files, and are read from there as often as the training needs them.

    Parameters
    ----------
    topics
        Each once. All are divided at the same moments.
    last
        How far back, a duration such as ``7d``, by the times of the messages.
    folder
        For the files; see :func:`logwarden.datasets.kept_until_done`.
    say
        Is told how much was read.

    Raises
    ------
    InvalidInputError
        If there are too few lines.
    KafkaUnusableError
        If Kafka cannot be read.
    """
    spool = folder / last
    places = [topic.place for topic in topics]
    since = time.time() - duration_seconds(last)
    fetch_once(spool, places, lambda: _spool(topics, since, spool, say), say)
    files = {path: topic for topic, part in zip(topics, _parts(spool, topics), strict=True) for path in _files(part)}
    positions = {path: _positions(path) for path in files}
    name = f"the last {last} of topic {', '.join(places)}"
    try:
        parts = split_times({path: times for path, (_, times) in positions.items()}, name)
    except InvalidInputError as error:
        raise InvalidInputError(f"{error}: give topic.last more time, or wait until more is collected") from None

    def lines(span: Span) -> tuple[str, CollectedLines]:
        offsets, topic, number = positions[span.path][0], files[span.path], span.path.stem
        stream = f"{topic.settings.topic.name}/{number}"
        first, final = offsets[span.first - 1], offsets[span.last - 1]
        return f"{topic.place}/{number}:{first}-{final}", CollectedLines(span.path, stream, span.first, span.last)

    train, validation, test = (recordings(spans, lines) for spans in parts)
    uri = ", ".join(f"kafka://{place}" for place in places)
    return Dataset(uri[:_LONGEST_URI], "topic", f"the last {last} by time, 60 : 20 : 20 lines", train, validation, test)


# ---------------------------------------------------------------------- from Kafka to files


def _spool(topics: Sequence[RawTopic], since: float, spool: Path, say: Say) -> None:
    for topic, part in zip(topics, _parts(spool, topics), strict=True):
        part.mkdir()
        lines, unreadable = _spool_topic(topic, since, part)
        left_out = f", {unreadable} more that cannot be read are left out" if unreadable else ""
        say(f"{lines} lines from topic {topic.place}{left_out}")


def _parts(spool: Path, topics: Sequence[RawTopic]) -> list[Path]:
    return [spool / str(number) for number in range(len(topics))]


def _files(part: Path) -> list[Path]:
    return sorted(part.glob("*.jsonl"), key=lambda path: int(path.stem))


def _spool_topic(topic: RawTopic, since: float, part: Path) -> tuple[int, int]:
    """Write a file for each partition; return how many lines there are, and how many messages are none."""
    settings, name = topic.settings, topic.settings.topic.name
    lines = unreadable = 0
    # The detectors' own group: whoever may run one may look it up.
    with reader(settings, settings.group) as consumer, ExitStack() as opened:
        begins = first_since(consumer, name, partitions_of(consumer, settings, name), since)
        sources = {one.partition: PartitionSource(f"{name}/{one.partition}", topic.privacy) for one in begins}
        files = {number: opened.enter_context((part / f"{number}.jsonl").open("wb")) for number in sources}
        for messages in read_to_end(consumer, settings, begins):
            by_partition = defaultdict(list)
            for message in messages:
                by_partition[message.partition() or 0].append(message)
            for number, mine in by_partition.items():
                source = sources[number]
                source.feed(mine)
                items, place = source.read(0)
                source.forget(place)
                lines += sum(_write(files[number], item) for item in items if isinstance(item, Batch))
                unreadable += sum(len(item.rejected) for item in items if isinstance(item, Malformed))
    return lines, unreadable


def _write(file: BinaryIO, batch: Batch) -> int:
    """Append a row for each line: its offset and an envelope; return how many there are."""
    assert batch.received is not None
    assert batch.peers is not None
    rows = zip(batch.positions, batch.lines, batch.received, batch.peers, strict=True)
    for offset, text, received, peer in rows:
        line = text.encode("utf-8", "surrogateescape")
        envelope = encode(line, received=received, peer=peer, listener=batch.listener or "", late=batch.late)
        file.write(b"%d %s\n" % (offset, envelope))
    return len(batch.lines)


# ---------------------------------------------------------------------- from files to lines


def _rows(path: Path) -> Iterator[tuple[int, Line]]:
    with path.open("rb") as file:
        for row in file:
            offset, _, envelope = row.partition(b" ")
            yield int(offset), decode_complete(envelope) or decode(envelope, key=None, written=0.0)


def _positions(path: Path) -> tuple[Sequence[int], Times]:
    """Return the offset of every line, and when it came, Unix seconds, never decreasing."""
    offsets, times = array("q"), array("d")
    for offset, line in _rows(path):
        offsets.append(offset)
        times.append(line.received)
    return offsets, np.maximum.accumulate(np.array(times, dtype=np.float64))
