"""Detection over the partitions of the raw topic that Kafka gives to this process.

Every partition has a detector and a loop of its own, with a checkpoint of its own in the store: where a partition goes,
what was learned from it goes along, and the results do not depend on who has it. The offsets in the store count; those
in Kafka follow them, for whoever watches the lag.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from logwarden.detect import DetectionModel, Detector
from logwarden.errors import LogwardenError
from logwarden.kafka.clients import new_client
from logwarden.kafka.errors import KafkaUnusableError, LastError, plain
from logwarden.kafka.partition import PartitionSource
from logwarden.kafka.publisher import Publisher
from logwarden.kafka.settings import KafkaSettings
from logwarden.kafka.topics import EndWatch
from logwarden.outcome import Outcome
from logwarden.privacy import Privacy
from logwarden.store import CheckpointMovedError, Store
from logwarden.streaming.latency import Latency
from logwarden.streaming.loop import DetectorLoop, Track

_CONFIG: dict[str, Any] = {
    "group.protocol": "consumer",
    "enable.auto.commit": False,
    "enable.partition.eof": True,
    # Reading never jumps by itself: what is gone is counted first.
    "auto.offset.reset": "error",
    "fetch.wait.max.ms": 100,
    "queued.max.messages.kbytes": 16 * 1024,
}
_BATCH = 2000
_COMMIT_SECONDS = 0.2
_REPORT_SECONDS = 1.0
_OPEN_SECONDS = 60.0
_ASK_SECONDS = 10.0
_RETRY_SECONDS = 1.0
_log = logging.getLogger(__name__)


@dataclass
class Partition:
    """A partition that this process has: its messages, its detector, and the loop that joins them with the store."""

    number: int
    source: PartitionSource
    detector: Detector
    loop: DetectorLoop


class PartitionedDetection:
    """Consumes, detects, stores. Used as a context manager; everything happens in the thread that calls :meth:`step`.

    Parameters
    ----------
    settings, store
        Where lines come from, and where results go.
    model
        The revision to begin with.
    pipeline
        Name of the pipeline.
    threshold
        Instead of the revision's.
    privacy
        Masks lines before anything else happens to them.
    committed
        Called after results were stored.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        store: Store,
        model: DetectionModel,
        pipeline: str,
        *,
        threshold: float | None = None,
        privacy: Privacy | None = None,
        committed: Callable[[Outcome], None] = lambda outcome: None,
    ) -> None:
        self.model = model
        self.partitions: dict[int, Partition] = {}
        self.counts: Counter[tuple[str, int]] = Counter()
        """Since the start, by stage and partition: ``stored`` and ``rejected`` lines, ``anomalies``, ``lost`` lines."""
        self.latency = Latency()
        self.beat = time.monotonic()
        """When something was done last, on the monotonic clock."""
        self.ends = EndWatch(settings)
        self._settings = settings
        self.topic = settings.topic.name
        """Name of the raw topic."""
        self._store = store
        self._pipeline = pipeline
        self._threshold = threshold
        self._privacy = privacy
        self._committed = committed
        self._publisher = Publisher(settings)
        self.unstored = ""
        """Why results of partitions that were given back are not stored; whoever has these now reads them again."""
        self._trouble = ""
        self._last_error = LastError()
        self._reported = time.monotonic()
        self._closed = False
        self._consumer = self._join()

    def __enter__(self) -> PartitionedDetection:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if not self._closed:
            self.close()

    @property
    def problem(self) -> str:
        """What is wrong at the moment, in words; empty if nothing is."""
        stuck = (one.loop.problem for one in self.partitions.values() if one.loop.problem)
        return next(stuck, "") or self._trouble or (self.ends.problem and (self._last_error.text or self.ends.problem))

    def lag(self) -> dict[int, int]:
        """Return messages that wait in each partition of this process."""
        ends = self.ends.ends
        return {
            number: max(ends[number].end - one.loop.place, 0)
            for number, one in self.partitions.items()
            if number in ends
        }

    def step(self, timeout: float) -> bool:
        """Consume, waiting up to ``timeout`` seconds, detect, and store when it is time; False if nothing came."""
        try:
            came = self._step(timeout)
        except CheckpointMovedError as error:
            _log.warning("%s; joining the group again", error)
            self._rejoin()
            came = True
        except KafkaException as error:
            self._trouble = f"Kafka at {self._settings.bootstrap_servers}: {plain(error)}"
            _log.error("%s; joining the group again", self._trouble)
            time.sleep(_RETRY_SECONDS)
            self._rejoin()
            came = False
        self.beat = time.monotonic()
        return came

    def take_over(self, model: DetectionModel) -> None:
        """Go on with another revision."""
        self.model = model
        for one in self.partitions.values():
            one.detector.take_over(model)

    def close(self) -> None:
        """Store what was detected, leave the group.

        Raises
        ------
        LogwardenError
            If not all results are stored.
        """
        self._closed = True
        self.ends.stop()
        self.unstored = ""  # of partitions that others have taken since
        self._consumer.close()  # revokes, and so commits
        if self.unstored:
            raise LogwardenError(f"not all results are stored ({self.unstored}); the next detector reads them again")

    # ------------------------------------------------------------------ consuming

    def _step(self, timeout: float) -> bool:
        self._hold_or_go_on()
        messages = self._consumer.consume(_BATCH, timeout)
        self._distribute(messages)
        ends = self.ends.ends
        for number, one in list(self.partitions.items()):
            if number in ends:
                one.source.pass_time(ends[number].end, ends[number].asked)
            one.loop.step(0)
            self.beat = time.monotonic()
        self._report_if_due()
        return bool(messages)

    def _hold_or_go_on(self) -> None:
        """Take nothing more while results cannot be stored; the membership in the group lives on."""
        mine = [TopicPartition(self.topic, number) for number in self.partitions]
        if not mine:
            return
        if any(one.loop.problem for one in self.partitions.values()):
            self._consumer.pause(mine)
            self._held = True
        elif self._held:
            self._consumer.resume(mine)
            self._held = False

    def _distribute(self, messages: Sequence[Message]) -> None:
        by_partition: defaultdict[int, list[Message]] = defaultdict(list)
        for message in messages:
            error = message.error()
            if error is None or error.code() == KafkaError._PARTITION_EOF:
                by_partition[message.partition() or 0].append(message)
            else:
                self._meet(error, message)
        for number, mine in by_partition.items():
            if number in self.partitions:
                self._trouble = ""
                self.partitions[number].source.feed(mine)

    def _meet(self, error: KafkaError, message: Message) -> None:
        """Handle an error that came in place of a message."""
        number = message.partition()
        if error.code() == KafkaError._AUTO_OFFSET_RESET and number in self.partitions:
            raise KafkaException(error)  # joining again finds out what is gone
        if not self._trouble:
            _log.error("topic %s: %s", self.topic, plain(error))
        self._trouble = f"topic {self.topic} at {self._settings.bootstrap_servers}: {plain(error)}"

    def _report_if_due(self) -> None:
        """Tell Kafka how far the store is."""
        if time.monotonic() - self._reported < _REPORT_SECONDS:
            return
        self._reported = time.monotonic()
        self._report(self.partitions.values(), wait=False)

    def _report(self, partitions: Iterable[Partition], *, wait: bool) -> None:
        stored = [TopicPartition(self.topic, one.number, one.loop.stored) for one in partitions]
        with contextlib.suppress(KafkaException):
            if stored and wait:
                self._consumer.commit(offsets=stored, asynchronous=False)
            elif stored:
                self._consumer.commit(offsets=stored)

    # ------------------------------------------------------------------ membership

    def _join(self) -> Consumer:
        self._last_error = LastError()
        self._held = False
        config = {**self._settings.client(), **_CONFIG, "group.id": self._settings.group, "error_cb": self._last_error}
        consumer = new_client(Consumer, config)
        consumer.subscribe([self.topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost)
        return consumer

    def _rejoin(self) -> None:
        """Leave the group and forget what is not stored; reading goes on from the checkpoints."""
        self.partitions.clear()
        self._consumer.close()
        self._consumer = self._join()

    def _on_assign(self, consumer: Consumer, assigned: list[TopicPartition]) -> None:
        for one in assigned:
            self.partitions[one.partition] = self._open_patiently(consumer, one.partition)
            one.offset = self.partitions[one.partition].loop.place
            _log.info("partition %d: reading on at offset %d", one.partition, one.offset)
        consumer.incremental_assign(assigned)
        self.ends.watch(list(self.partitions))

    def _on_revoke(self, consumer: Consumer, revoked: list[TopicPartition]) -> None:
        going = [self.partitions.pop(one.partition) for one in revoked if one.partition in self.partitions]
        for one in going:
            with contextlib.suppress(CheckpointMovedError):
                one.loop.commit()
            self.unstored = self.unstored or one.loop.problem
            _log.info("partition %d: left at offset %d", one.number, one.loop.stored)
        self._report(going, wait=True)
        self.ends.watch(list(self.partitions))

    def _on_lost(self, consumer: Consumer, lost: list[TopicPartition]) -> None:
        """Drop partitions that another process may have already: it reads again what this one has not stored."""
        for one in lost:
            self.partitions.pop(one.partition, None)
        self.ends.watch(list(self.partitions))

    def _open_patiently(self, consumer: Consumer, number: int) -> Partition:
        """Open a partition, waiting for a store or a broker that is away for a moment."""
        until = time.monotonic() + _OPEN_SECONDS
        while True:
            try:
                return self._open(consumer, number)
            except (LogwardenError, KafkaException) as error:
                if time.monotonic() > until:
                    raise
                _log.error("partition %d cannot be taken: %s; trying again", number, error)
                time.sleep(_RETRY_SECONDS)
                self.beat = time.monotonic()

    def _open(self, consumer: Consumer, number: int) -> Partition:
        stream = f"{self.topic}/{number}"
        start, end = self._bounds(consumer, number)
        detector = Detector(self.model, self._pipeline, threshold=self._threshold)
        source = PartitionSource(stream, self._privacy)

        def publish(outcome: Outcome) -> None:
            self._publish(source, outcome)

        def committed(outcome: Outcome, place: int) -> None:
            source.forget(place)
            self._count(number, outcome)

        loop = DetectorLoop(
            source,
            detector,
            self._store,
            Track.of_partition(self._pipeline, stream),
            publish=publish,
            committed=committed,
            commit_seconds=_COMMIT_SECONDS,
            latency=self.latency,
        )
        self._check_place(loop, number, start, end)
        source.resume(loop.place, detector.clock(stream))
        return Partition(number, source, detector, loop)

    def _bounds(self, consumer: Consumer, number: int) -> tuple[int, int]:
        found = consumer.get_watermark_offsets(TopicPartition(self.topic, number), timeout=_ASK_SECONDS)
        if found is None:
            raise KafkaUnusableError(f"Kafka at {self._settings.bootstrap_servers} does not answer")
        return found

    def _check_place(self, loop: DetectorLoop, number: int, start: int, end: int) -> None:
        """Go on at the start of the partition where what was to be read next is gone."""
        if loop.place < start:
            lost = start - loop.place if loop.resumed else 0
            if lost:
                _log.error("partition %d: %d lines were removed before they were read", number, lost)
            loop.skip(start, lost=lost)
            self.counts["lost", number] += lost
        elif loop.place > end:
            _log.error(
                "partition %d ends at %d, before the offset reached (%d): it was made anew", number, end, loop.place
            )
            loop.skip(start, lost=0)

    # ------------------------------------------------------------------ results

    def _publish(self, source: PartitionSource, outcome: Outcome) -> None:
        reasons = {line.position: line.reason for line in outcome.rejected}
        dead = [(one, reasons[one.offset() or 0]) for one in source.originals(list(reasons))] if reasons else []
        self._publisher.publish(outcome.records, dead)

    def _count(self, number: int, outcome: Outcome) -> None:
        self.counts["stored", number] += outcome.lines - len(outcome.rejected)
        self.counts["rejected", number] += len(outcome.rejected)
        self.counts["anomalies", number] += len(outcome.records)
        self._committed(outcome)
