"""The worker explains in the background, never blocks who submits, and stops in time."""

from __future__ import annotations

import threading
import time

import pytest

from logwarden.api.record import AnomalyRecord, Explanation
from logwarden.explain import ExplanationWorker, WorkerCounts, render
from tests.explain.records import burst, record

WRITTEN = Explanation(text="srv1: 214 failures.", backend="builtin", faithful=True)


class Backend:
    """A backend that waits at a gate, and fails for records that are named so."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.closed = False

    def explain(self, anomaly: AnomalyRecord) -> Explanation:
        """Answer by the record's id."""
        assert self.gate.wait(20)
        if anomaly.id == "raises":
            raise RuntimeError("the backend broke")
        return render(anomaly) if anomaly.id == "plain" else WRITTEN

    def close(self) -> None:
        """Remember it."""
        self.closed = True


class Saved:
    """Keeps what the worker saves; fails for one id."""

    def __init__(self) -> None:
        self.explanations: dict[str, Explanation] = {}

    def __call__(self, anomaly: str, explanation: Explanation) -> None:
        """Keep it."""
        if anomaly == "unsaved":
            raise OSError("the store is full")
        self.explanations[anomaly] = explanation


def _named(name: str) -> AnomalyRecord:
    return record(burst(), id=name)


def _wait_until(worker: ExplanationWorker, **expected: int) -> None:
    deadline = time.monotonic() + 20
    while any(getattr(worker.counts, name) != value for name, value in expected.items()):
        assert time.monotonic() < deadline, worker.counts
        time.sleep(0.01)


def test_what_the_backend_wrote_is_saved_and_everything_is_counted() -> None:
    saved, backend = Saved(), Backend()
    worker = ExplanationWorker(backend, saved, threads=2)
    for name in ("a", "b", "plain", "raises", "unsaved"):
        assert worker.submit(_named(name))
    worker.stop()
    assert saved.explanations == {"a": WRITTEN, "b": WRITTEN}
    assert worker.counts == WorkerCounts(accepted=5, written=2, plain=1, failed=2)
    assert backend.closed


def test_a_full_queue_refuses_at_once() -> None:
    backend = Backend()
    backend.gate.clear()
    worker = ExplanationWorker(backend, Saved(), capacity=2)
    assert worker.submit(_named("a"))
    deadline = time.monotonic() + 20
    while worker.waiting:
        assert time.monotonic() < deadline
    began = time.monotonic()
    answers = [worker.submit(_named(f"r{number}")) for number in range(50)]
    assert time.monotonic() - began < 5
    assert answers == [True, True] + [False] * 48
    backend.gate.set()
    _wait_until(worker, written=3)
    worker.stop()
    assert worker.counts == WorkerCounts(accepted=3, refused=48, written=3)


def test_stopping_waits_no_longer_than_it_may() -> None:
    backend = Backend()
    backend.gate.clear()
    worker = ExplanationWorker(backend, Saved())
    for number in range(5):
        worker.submit(_named(f"r{number}"))
    began = time.monotonic()
    worker.stop(timeout=0.3)
    assert time.monotonic() - began < 5
    assert not worker.submit(_named("late"))
    assert worker.counts.refused == 1
    assert worker.counts.abandoned >= 4
    backend.gate.set()


@pytest.mark.parametrize("threads", [1, 4])
def test_stopping_explains_what_is_queued(threads: int) -> None:
    saved = Saved()
    worker = ExplanationWorker(Backend(), saved, threads=threads)
    for number in range(40):
        worker.submit(_named(f"r{number}"))
    worker.stop()
    assert len(saved.explanations) == 40
