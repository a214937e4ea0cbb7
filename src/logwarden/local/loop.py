"""The detector loop: from the spool to the store."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Protocol

from logwarden.events import Batch
from logwarden.outcome import Outcome
from logwarden.sources.base import End, Item, Source, Tick
from logwarden.sources.spool import STREAM
from logwarden.store import Store, StoreError

_COMMIT_SECONDS = 1.0
_COMMIT_LINES = 20_000
_IDLE_COMMIT_SECONDS = 30.0
_RETRY_SECONDS = 1.0
_FINISH_SECONDS = 5.0
_BLOCKS = f"{STREAM}/blocks"
_log = logging.getLogger(__name__)


class StreamDetector(Protocol):
    """What the loop asks of a detector. Results must be a function of the calls and of the restored state alone."""

    def process(self, batch: Batch) -> Outcome: ...

    def advance(self, now: float) -> Outcome: ...

    def finish(self) -> Outcome: ...

    def snapshot(self) -> bytes: ...

    def restore(self, state: bytes) -> None: ...


def resume_at(store: Store, consumer: str) -> tuple[int, int]:
    """Return the position of the next line and the number of the next block that ``consumer`` has to read."""
    positions = store.checkpoint(consumer).positions
    return positions.get(STREAM, 0), positions.get(_BLOCKS, 0)


class DetectorLoop:
    """Reads the spool, detects, commits results together with the place reached.

    The detector's clock is the one in the spool, so that reading the same spool again, after a crash at any moment,
    gives the same results.

    Parameters
    ----------
    reader, detector, store
        The three that it joins. The detector is brought to the state of the last commit.
    consumer
        Name under which the store keeps the checkpoint.
    committed
        Called after each commit with its results and the number of the next block.
    """

    def __init__(
        self,
        reader: Source,
        detector: StreamDetector,
        store: Store,
        consumer: str,
        *,
        committed: Callable[[Outcome, int], None] = lambda outcome, block: None,
    ) -> None:
        checkpoint = store.checkpoint(consumer)
        if checkpoint.state:
            detector.restore(checkpoint.state)
        self.ended: set[str] = set()
        """Names of the end marks that were read by this loop."""
        self.problem = ""
        """Why results cannot be stored at the moment, in words."""
        self._reader = reader
        self._detector = detector
        self._store = store
        self._consumer = consumer
        self._committed = committed
        self._position = checkpoint.positions.get(STREAM, 0)
        self.block = checkpoint.positions.get(_BLOCKS, 0)
        self._pending = Outcome()
        self._moved = False
        self._last_commit = time.monotonic()

    def step(self, timeout: float) -> bool:
        """Read and detect once, waiting up to ``timeout`` seconds; commit when it is time; False if nothing came.

        While the store refuses nothing is read, so that memory does not fill with results: it is asked again instead.
        """
        if self.problem:
            self.commit()
            if self.problem:
                return False
        items, block = self._reader.read(self.block, timeout=timeout)
        for item in items:
            self._take(item)
        self._moved = self._moved or block != self.block
        self.block = block
        if self._commit_is_due():
            self.commit()
        return bool(items)

    def finish(self, end_block: int) -> None:
        """Read up to ``end_block`` and commit.

        Raises
        ------
        StoreError
            If the store refuses. What it lacks is read again from the spool by the next loop.
        """
        while self.block < end_block and self.step(_FINISH_SECONDS):
            pass
        self.commit()
        if self.problem:
            raise StoreError(self.problem)

    def add(self, outcome: Outcome) -> None:
        """Take results that the detector gave outside of reading, and commit."""
        self._pending.extend(outcome)
        self._moved = True
        self.commit()

    def commit(self) -> None:
        """Store the results so far; where the store refuses, they are kept for the next try."""
        if not self._moved:
            return
        positions = {STREAM: self._position, _BLOCKS: self.block}
        self._last_commit = time.monotonic()
        try:
            self._store.commit(
                self._pending, consumer=self._consumer, positions=positions, state=self._detector.snapshot()
            )
        except StoreError as error:
            if not self.problem:
                _log.error("%s; trying again", error)
            self.problem = str(error)
            time.sleep(_RETRY_SECONDS)
            return
        outcome, self._pending = self._pending, Outcome()
        self.problem, self._moved = "", False
        self._committed(outcome, self.block)

    def _take(self, item: Item) -> None:
        if isinstance(item, Batch):
            self._position = item.positions[-1] + 1
            self._pending.extend(self._detector.process(item))
        elif isinstance(item, Tick):
            self._pending.extend(self._detector.advance(item.time))
        elif isinstance(item, End):
            self.ended.add(item.name)
            self._pending.extend(self._detector.finish())
        else:
            self._position = item.positions[-1] + 1
            self._pending.rejected += item.rejected
            self._pending.lines += len(item.rejected)

    def _commit_is_due(self) -> bool:
        since = time.monotonic() - self._last_commit
        news = self._pending.lines or self._pending.records or self._pending.cases
        if not news:
            return since >= _IDLE_COMMIT_SECONDS
        return since >= _COMMIT_SECONDS or self._pending.lines >= _COMMIT_LINES
