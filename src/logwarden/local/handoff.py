"""What stands between listeners and detection: the spool of one machine, or Kafka."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from logwarden.api.log_pipeline import LogPipeline
from logwarden.detect import DetectionModel, Detector
from logwarden.errors import LogwardenError
from logwarden.kafka.producer import Producer
from logwarden.kafka.settings import KafkaSettings
from logwarden.kafka.topics import ensure_topics
from logwarden.local.partitions import partition_statuses
from logwarden.local.privacy import at_collection, at_detection
from logwarden.outcome import Outcome
from logwarden.privacy import MaskingIntake, Privacy
from logwarden.sources.listening import Intake
from logwarden.sources.spool import Spool, SpoolReader
from logwarden.store import PartitionStatus, Store, StoreError
from logwarden.streaming.loop import DetectorLoop, Track, resume_at
from logwarden.streaming.partitions import PartitionedDetection

_DISK_SECONDS = 30.0

Committed = Callable[[Outcome], None]
"""Takes results that were stored."""


class HandOff(Protocol):
    """Takes lines from listeners, and detects what is in them."""

    @property
    def intake(self) -> Intake:
        """Where listeners put lines."""
        ...

    def start(self, model: DetectionModel, committed: Committed) -> None:
        """Begin to take lines and to detect."""
        ...

    def step(self, timeout: float) -> None:
        """Detect once, waiting up to ``timeout`` seconds for lines."""
        ...

    def take_over(self, model: DetectionModel) -> None:
        """Go on with another revision."""
        ...

    def problems(self) -> list[str]:
        """Return what is wrong at the moment."""
        ...

    def partitions(self) -> tuple[PartitionStatus, ...]:
        """Return how far each partition has come; none without Kafka."""
        ...

    def finish(self) -> list[str]:
        """Judge and store what has arrived; return what went wrong."""
        ...

    def close(self) -> None:
        """Close files and connections."""
        ...


class SpoolHandOff:
    """A file on this machine."""

    def __init__(
        self, folder: Path, store: Store, pipeline: str, threshold: float | None, privacy: Privacy | None = None
    ) -> None:
        self._privacy = privacy
        self._store = store
        self._pipeline = pipeline
        self._threshold = threshold
        self._track = Track.of_spool(f"up/{pipeline}")
        position, block = resume_at(store, self._track)
        self.spool = Spool(folder, resume_position=position, resume_block=block)
        self._reader = SpoolReader(folder, self.spool)

    @property
    def intake(self) -> Intake:
        """See :class:`HandOff`. Lines are masked before they are on disk: this is both collection and detection."""
        return self.spool if self._privacy is None else MaskingIntake(self.spool, self._privacy)

    def start(self, model: DetectionModel, committed: Committed) -> None:
        """See :class:`HandOff`."""

        def consumed(outcome: Outcome, block: int) -> None:
            self.spool.consumed(block)
            committed(outcome)

        self._detector = Detector(model, self._pipeline, threshold=self._threshold)
        self._loop = DetectorLoop(self._reader, self._detector, self._store, self._track, committed=consumed)
        self.spool.__enter__()

    def step(self, timeout: float) -> None:
        """See :class:`HandOff`."""
        self._loop.step(timeout)

    def take_over(self, model: DetectionModel) -> None:
        """See :class:`HandOff`."""
        self._detector.take_over(model)

    def problems(self) -> list[str]:
        """See :class:`HandOff`."""
        return [problem for problem in (self._loop.problem, self.spool.problem) if problem]

    def partitions(self) -> tuple[PartitionStatus, ...]:
        """See :class:`HandOff`."""
        return ()

    def judged(self, listener: str) -> bool:
        """Tell whether everything up to the end mark of a listener, or all there is, has been judged."""
        return listener in self._loop.ended or self._loop.place >= self.spool.end_block

    def finish(self) -> list[str]:
        """See :class:`HandOff`. Open windows are closed: nobody can tell when this goes on."""
        return [*self._finish_spool(), *self._finish_loop()]

    def _finish_spool(self) -> list[str]:
        """Wait until what has arrived is on disk; return what went wrong."""
        self.spool.end("stop")
        try:
            self.spool.durable().result(_DISK_SECONDS)
        except (LogwardenError, TimeoutError):
            return [f"not all lines that arrived are on disk: {self.spool.problem or 'the disk is slow'}"]
        return []

    def _finish_loop(self) -> list[str]:
        """Judge and store what is on disk; return what went wrong."""
        try:
            self._loop.finish(self.spool.end_block)
        except StoreError as error:
            return [f"not all results are stored ({error}); the next start goes on with them"]
        return []

    def close(self) -> None:
        """See :class:`HandOff`."""
        self._reader.close()
        self.spool.close()


class KafkaHandOff:
    """Kafka: listeners of this machine write to it, and this process may not be the only one that detects.

    Raises
    ------
    LogwardenError
        If Kafka cannot be used.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        store: Store,
        pipeline: LogPipeline,
        threshold: float | None,
        privacy: Privacy | None = None,
    ) -> None:
        ensure_topics(settings)
        self._settings = settings
        self._store = store
        self._pipeline = pipeline
        self._threshold = threshold
        self._privacy = privacy
        self._producer = Producer(settings)
        self.detection: PartitionedDetection | None = None

    @property
    def intake(self) -> Intake:
        """See :class:`HandOff`."""
        return at_collection(self._pipeline, self._privacy, self._producer)

    def start(self, model: DetectionModel, committed: Committed) -> None:
        """See :class:`HandOff`."""
        self._producer.__enter__()
        self.detection = PartitionedDetection(
            self._settings,
            self._store,
            model,
            self._pipeline.name,
            threshold=self._threshold,
            privacy=at_detection(self._pipeline, self._privacy),
            committed=committed,
        )

    def step(self, timeout: float) -> None:
        """See :class:`HandOff`."""
        if self.detection is not None:
            self.detection.step(timeout)

    def take_over(self, model: DetectionModel) -> None:
        """See :class:`HandOff`."""
        if self.detection is not None:
            self.detection.take_over(model)

    def problems(self) -> list[str]:
        """See :class:`HandOff`."""
        detecting = self.detection.problem if self.detection is not None else ""
        return [problem for problem in (detecting, self._producer.problem) if problem]

    def partitions(self) -> tuple[PartitionStatus, ...]:
        """See :class:`HandOff`."""
        return () if self.detection is None else partition_statuses(self.detection)

    def finish(self) -> list[str]:
        """See :class:`HandOff`. Lines that Kafka has are judged by whoever goes on, and open windows stay open."""
        problems = []
        try:
            self._producer.close()
        except LogwardenError as error:
            problems.append(str(error))
        if self.detection is not None:
            try:
                self.detection.step(0.0)
                self.detection.close()
            except LogwardenError as error:
                problems.append(str(error))
        return problems

    def close(self) -> None:
        """See :class:`HandOff`."""
