"""The detector loop: from a source to the store."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from logwarden.errors import LogwardenError
from logwarden.events import Batch
from logwarden.outcome import Outcome
from logwarden.sources.base import End, Item, Source, Tick
from logwarden.sources.spool import STREAM
from logwarden.store import CheckpointMovedError, Store, StoreError
from logwarden.streaming.latency import Latency

_COMMIT_SECONDS = 1.0
_COMMIT_LINES = 20_000
_IDLE_COMMIT_SECONDS = 30.0
_RETRY_SECONDS = 1.0
_FINISH_SECONDS = 5.0
_log = logging.getLogger(__name__)


class StreamDetector(Protocol):
    """What the loop asks of a detector. Results must be a function of the calls and of the restored state alone."""

    def process(self, batch: Batch) -> Outcome: ...

    def advance(self, now: float) -> Outcome: ...

    def finish(self) -> Outcome: ...

    def snapshot(self) -> bytes: ...

    def restore(self, state: bytes) -> None: ...


class Track(NamedTuple):
    """Under which names a loop keeps how far it has come.

    ``consumer`` is the name of the checkpoint, ``stream`` that of the lines' positions, ``place`` that of where to read
    on: blocks of a spool are not lines, offsets of a partition are.
    """

    consumer: str
    stream: str
    place: str

    @classmethod
    def of_spool(cls, consumer: str) -> Track:
        """Return the names for a spool."""
        return cls(consumer, STREAM, f"{STREAM}/blocks")

    @classmethod
    def of_partition(cls, consumer: str, stream: str) -> Track:
        """Return the names for a partition of Kafka: its detector has a checkpoint of its own."""
        return cls(f"{consumer}/{stream}", stream, stream)


def resume_at(store: Store, track: Track) -> tuple[int, int]:
    """Return the position of the next line and the place at which reading goes on."""
    positions = store.checkpoint(track.consumer).positions
    return positions.get(track.stream, 0), positions.get(track.place, 0)


class DetectorLoop:
    """Reads a source, detects, commits results together with the place reached.

    The detector's clock is the one in the stream, so that reading the same stream again, after a crash at any moment,
    gives the same results.

    Parameters
    ----------
    source, detector, store
        The three that it joins. The detector is brought to the state of the last commit.
    track
        Names under which the store keeps the checkpoint.
    publish
        Called before results are stored, to send them elsewhere; a :class:`LogwardenError` puts the commit off. Results
        may be published twice, after a crash in between.
    committed
        Called after each commit with its results and the place reached.
    commit_seconds
        Time between two commits while results come.
    latency
        Takes the time from receive to stored of every line.
    """

    def __init__(
        self,
        source: Source,
        detector: StreamDetector,
        store: Store,
        track: Track,
        *,
        publish: Callable[[Outcome], None] = lambda outcome: None,
        committed: Callable[[Outcome, int], None] = lambda outcome, place: None,
        commit_seconds: float = _COMMIT_SECONDS,
        latency: Latency | None = None,
    ) -> None:
        checkpoint = store.checkpoint(track.consumer)
        if checkpoint.state:
            detector.restore(checkpoint.state)
        self.ended: set[str] = set()
        """Names of the end marks that were read by this loop."""
        self.problem = ""
        """Why results cannot be stored at the moment, in words."""
        self.resumed = bool(checkpoint.positions)
        """True if there was a checkpoint."""
        self._source = source
        self._detector = detector
        self._store = store
        self._track = track
        self._publish = publish
        self._committed = committed
        self._commit_seconds = commit_seconds
        self._latency = latency
        self._stored = {name: checkpoint.positions.get(name, 0) for name in (track.stream, track.place)}
        self._position = self._stored[track.stream]
        self.place = self._stored[track.place]
        """Where reading goes on."""
        self._pending = Outcome()
        self._counts: Counter[str] = Counter()
        self._received: list[Sequence[float]] = []
        self._moved = False
        self._published = False
        self._last_commit = time.monotonic()

    @property
    def stored(self) -> int:
        """The place up to which results are stored."""
        return self._stored[self._track.place]

    def step(self, timeout: float) -> bool:
        """Read and detect once, waiting up to ``timeout`` seconds; commit when it is time; False if nothing came.

        While the store refuses nothing is read, so that memory does not fill with results: it is asked again instead.
        """
        if self.problem:
            self.commit()
            if self.problem:
                return False
        items, place = self._source.read(self.place, timeout=timeout)
        for item in items:
            self._take(item)
        self._moved = self._moved or place != self.place or bool(items)
        self.place = place
        if self._commit_is_due():
            self.commit()
        return bool(items)

    def finish(self, end: int) -> None:
        """Read up to the place ``end`` and commit.

        Raises
        ------
        StoreError
            If the store refuses. What it lacks is read again by the next loop.
        """
        while self.place < end and self.step(_FINISH_SECONDS):
            pass
        self.commit()
        if self.problem:
            raise StoreError(self.problem)

    def skip(self, place: int, *, lost: int) -> None:
        """Go on at another place, because what stood at this one is gone; ``lost`` lines are counted as lost."""
        self._position = self.place = place
        self._counts[f"lost/{self._track.stream}"] += lost
        self._moved = True

    def commit(self) -> None:
        """Store the results so far; where the store refuses, they are kept for the next try.

        Raises
        ------
        CheckpointMovedError
            If another process has taken over the stream: these results are of no use any more.
        """
        if not self._moved:
            return
        self._last_commit = time.monotonic()
        try:
            self._hand_on()
        except CheckpointMovedError:
            raise
        except LogwardenError as error:
            if not self.problem:
                _log.error("%s; trying again", error)
            self.problem = str(error)
            time.sleep(_RETRY_SECONDS)
            return
        outcome, self._pending = self._pending, Outcome()
        received, self._received = self._received, []
        self.problem, self._moved, self._published = "", False, False
        self._counts.clear()
        if self._latency is not None:
            self._latency.observe(received)
        self._committed(outcome, self.place)

    def _hand_on(self) -> None:
        if not self._published:
            self._publish(self._pending)
            self._published = True
        positions = {self._track.stream: self._position, self._track.place: self.place}
        try:
            self._store_at(positions)
        except CheckpointMovedError:
            if not self._is_stored(positions):
                raise
        self._stored = positions

    def _store_at(self, positions: dict[str, int]) -> None:
        self._store.commit(
            self._pending,
            consumer=self._track.consumer,
            positions=positions,
            state=self._detector.snapshot(),
            expected=self._stored,
            counts=self._counts,
            patience=0.0,  # the loop tries again itself, and whoever watches it sees that it lives
        )

    def _is_stored(self, positions: dict[str, int]) -> bool:
        """Whether the commit before, whose answer was lost, had stored the same."""
        if not self.problem:
            return False
        stored = self._store.checkpoint(self._track.consumer).positions
        return all(stored.get(name) == at for name, at in positions.items())

    def _take(self, item: Item) -> None:
        if isinstance(item, Batch):
            self._position = item.positions[-1] + 1
            self._note(item)
            self._add(self._detector.process(item))
        elif isinstance(item, Tick):
            self._add(self._detector.advance(item.time))
        elif isinstance(item, End):
            self.ended.add(item.name)
            self._add(self._detector.finish())
        else:
            self._position = item.positions[-1] + 1
            self._add(Outcome(rejected=item.rejected, lines=len(item.rejected)))

    def _add(self, outcome: Outcome) -> None:
        self._counts[f"scored/{self._track.stream}"] += outcome.lines - len(outcome.rejected)
        self._counts[f"rejected/{self._track.stream}"] += len(outcome.rejected)
        self._pending.extend(outcome)

    def _note(self, batch: Batch) -> None:
        self._counts[f"received/{batch.listener or 'unknown'}"] += len(batch.lines)
        if self._latency is not None and batch.received is not None:
            self._received.append(batch.received)

    def _commit_is_due(self) -> bool:
        since = time.monotonic() - self._last_commit
        news = self._pending.lines or self._pending.records or self._pending.cases
        if not news:
            return since >= _IDLE_COMMIT_SECONDS
        return since >= self._commit_seconds or self._pending.lines >= _COMMIT_LINES
