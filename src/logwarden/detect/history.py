"""Detection over finished input: files, archives, standard input."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

from logwarden.detect.detector import Detector
from logwarden.errors import InvalidInputError
from logwarden.events import Batch
from logwarden.outcome import Outcome
from logwarden.store import Store

# Lines between two commits to a store: few enough that a killed run repeats little, many enough to cost nothing.
_COMMIT_LINES = 20_000


@dataclass(slots=True)
class Summary:
    """What a run read and found. ``seconds`` is wall time; ``rejected`` lines were kept with their reason.

    ``problem`` says which inputs could not be read to their end, and why; empty if all could.
    """

    lines: int = 0
    units: int = 0
    anomalies: int = 0
    cases: int = 0
    rejected: int = 0
    seconds: float = 0.0
    lines_per_second: float = 0.0
    cache_hit_rate: float = 0.0
    revision: str = ""
    problem: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


class Sink(Protocol):
    """Where results go, step by step."""

    def __call__(self, outcome: Outcome) -> None:
        """Take the results of one step."""


class StoreSink:
    """Commits results to a store together with how far the input was read.

    A run that was killed goes on from its last commit, and a run over input that was read to its end adds nothing:
    the checkpoint is kept under ``consumer``, which should name the input and the revision.
    """

    def __init__(self, store: Store, consumer: str, detector: Detector) -> None:
        self._store = store
        self._consumer = consumer
        self._detector = detector
        self._pending = Outcome()
        checkpoint = store.checkpoint(consumer)
        self.positions = dict(checkpoint.positions)
        """By stream the position of the next line, and whatever else the next commit shall keep with it."""
        if checkpoint.state:
            detector.restore(checkpoint.state)

    def unread(self, batches: Iterable[Batch]) -> Iterable[Batch]:
        """Yield what earlier runs have not committed."""
        for batch in batches:
            rest = self.rest_of(batch)
            if rest.lines:
                yield rest
                self.reach(rest)
                if self._pending.lines >= _COMMIT_LINES:
                    self.commit()

    def rest_of(self, batch: Batch) -> Batch:
        """Return the lines of a batch that were not committed."""
        next_position = self.positions.get(batch.stream, 0)
        return batch if batch.positions[0] >= next_position else _from(batch, next_position)

    def reach(self, batch: Batch) -> None:
        """Note that a batch was judged: the next commit covers it."""
        self.positions[batch.stream] = batch.positions[-1] + 1

    def __call__(self, outcome: Outcome) -> None:
        """Keep results until the next commit."""
        self._pending.extend(outcome)

    def commit(self) -> None:
        """Write what is pending, with the position reached and the detector's state, in one transaction."""
        self._store.commit(
            self._pending, consumer=self._consumer, positions=self.positions, state=self._detector.snapshot()
        )
        self._pending = Outcome()


def detect(
    detector: Detector,
    batches: Iterable[Batch],
    sinks: Iterable[Sink],
    progress: Callable[[Summary], None] = lambda _: None,
) -> Summary:
    """Read all batches, hand results to the sinks, return the summary; see :func:`collect`."""
    return collect(detector, map(detector.process, batches), sinks, progress)


def collect(
    detector: Detector,
    outcomes: Iterable[Outcome],
    sinks: Iterable[Sink],
    progress: Callable[[Summary], None] = lambda _: None,
) -> Summary:
    """Hand each outcome of the detector to the sinks, at the end also that of what is open; return the summary.

    ``progress`` is called after each outcome. An input that cannot be read to its end is no reason to lose the rest:
    its :class:`InvalidInputError` is in ``problem`` of the summary.
    """
    sinks = list(sinks)
    summary = Summary(revision=detector.model.revision)
    cases: set[str] = set()
    started = time.perf_counter()

    def take(outcome: Outcome) -> None:
        for sink in sinks:
            sink(outcome)
        cases.update(case.id for case in outcome.cases)
        summary.lines += outcome.lines
        summary.units += outcome.units
        summary.anomalies += len(outcome.records)
        summary.rejected += len(outcome.rejected)
        summary.cases = len(cases)
        summary.seconds = time.perf_counter() - started
        summary.lines_per_second = round(summary.lines / summary.seconds, 1)

    try:
        for outcome in outcomes:
            take(outcome)
            progress(summary)
    except InvalidInputError as error:
        summary.problem = str(error)
    take(detector.finish())
    summary.cache_hit_rate = round(detector.model.scores.hit_rate, 5)
    summary.seconds = round(summary.seconds, 3)
    return summary


def _from(batch: Batch, position: int) -> Batch:
    start = next((i for i, one in enumerate(batch.positions) if one >= position), len(batch.positions))
    return replace(
        batch,
        positions=batch.positions[start:],
        lines=batch.lines[start:],
        received=batch.received and batch.received[start:],
        peers=batch.peers and batch.peers[start:],
    )
