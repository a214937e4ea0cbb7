"""Explains in the background, so that detection never waits."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from logwarden.api.record import AnomalyRecord, Explanation
from logwarden.explain.explainer import Explainer

_log = logging.getLogger(__name__)

_POLL_SECONDS = 0.1

Save = Callable[[str, Explanation], None]
"""Takes a record's id and its new explanation. Called from the worker's threads."""


@dataclass(frozen=True, slots=True)
class WorkerCounts:
    """What became of the records.

    Attributes
    ----------
    accepted
        Taken into the queue; each is counted again in one of the others once it is done.
    refused
        Not taken, because the queue was full or the worker was stopping: they keep their plain rendering.
    written
        The backend wrote an explanation, and it was saved.
    plain
        The backend fell back to the plain rendering, so there was nothing to save.
    failed
        The explanation could not be written or saved.
    abandoned
        Still in the queue when the worker had to stop.
    """

    accepted: int = 0
    refused: int = 0
    written: int = 0
    plain: int = 0
    failed: int = 0
    abandoned: int = 0


class ExplanationWorker:
    """Threads that take records from a bounded queue and save what the explainer wrote.

    Records come with their plain rendering, which stays wherever the backend has nothing better.

    Parameters
    ----------
    explainer
        The backend; the worker closes it when it stops.
    save
        Receives each explanation that is not the plain rendering.
    capacity
        Length of the queue, in records.
    threads
        How many records are explained at the same time.
    """

    def __init__(self, explainer: Explainer, save: Save, *, capacity: int = 256, threads: int = 1) -> None:
        self._explainer = explainer
        self._save = save
        self._queue: queue.Queue[AnomalyRecord] = queue.Queue(maxsize=capacity)
        self._stopping = threading.Event()
        self._deadline = float("inf")
        self._lock = threading.Lock()
        self._counts = WorkerCounts()
        self._threads = [
            threading.Thread(target=self._run, name=f"explain-{number}", daemon=True) for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def counts(self) -> WorkerCounts:
        """The counts as they are now."""
        with self._lock:
            return self._counts

    @property
    def waiting(self) -> int:
        """How many records are in the queue."""
        return self._queue.qsize()

    def submit(self, record: AnomalyRecord) -> bool:
        """Queue a record; return at once, False when there is no room and the record keeps its plain rendering."""
        with self._lock:
            if not self._stopping.is_set():
                try:
                    self._queue.put_nowait(record)
                except queue.Full:
                    pass
                else:
                    self._counts = replace(self._counts, accepted=self._counts.accepted + 1)
                    return True
        self._count("refused")
        return False

    def stop(self, timeout: float = 10.0) -> None:
        """Explain what is queued for at most ``timeout`` seconds, then stop; what is left keeps its plain rendering."""
        with self._lock:
            self._deadline = time.monotonic() + timeout
            self._stopping.set()
        for thread in self._threads:
            thread.join(max(0.0, self._deadline - time.monotonic()))
        self._explainer.close()
        self._count("abandoned", self._discard())

    def _discard(self) -> int:
        discarded = 0
        while True:
            try:
                self._queue.get_nowait()
            except queue.Empty:
                return discarded
            discarded += 1

    def _run(self) -> None:
        while not (self._stopping.is_set() and self._is_over()):
            try:
                record = self._queue.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                continue
            self._count(self._explain(record))

    def _is_over(self) -> bool:
        return self._queue.empty() or time.monotonic() >= self._deadline

    def _explain(self, record: AnomalyRecord) -> str:
        """Explain one record and return the count it belongs to. A failure must not end the thread."""
        try:
            explanation = self._explainer.explain(record)
            if explanation.backend == "plain":
                return "plain"
            self._save(record.id, explanation)
        except Exception:
            _log.exception("record %s could not be explained", record.id)
            return "failed"
        return "written"

    def _count(self, name: str, by: int = 1) -> None:
        with self._lock:
            self._counts = replace(self._counts, **{name: getattr(self._counts, name) + by})
