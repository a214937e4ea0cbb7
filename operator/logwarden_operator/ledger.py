"""What the counters of a pipeline's pods add up to over time, though pods come, go and begin anew at zero."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from logwarden_operator import scrape
from logwarden_operator.scrape import Reading, Target

WINDOW_SECONDS = 600.0
ACKNOWLEDGED = f"{scrape.SENT}{{acknowledged}}"
REFUSED = f"{scrape.SENT}{{refused}}"
_COUNTERS = (
    scrape.RECEIVED, scrape.WRITTEN, scrape.DROPPED, scrape.KERNEL_DROPPED, scrape.TAKEN, scrape.UNREADABLE,
    ACKNOWLEDGED, REFUSED, scrape.STORED, scrape.REJECTED, scrape.LOST, scrape.ANOMALIES,
)  # fmt: skip


class Totals(NamedTuple):
    """Lines since the operator began to look, and what waits now."""

    received: float = 0.0
    """By collectors and the HTTP endpoint, lines that could not be read among them."""
    written: float = 0.0
    """That Kafka has acknowledged."""
    dropped: float = 0.0
    """By collectors, because a buffer was full."""
    kernel_dropped: float = 0.0
    """By the kernel, before a collector saw them; not among the received."""
    vanished: float = 0.0
    """Received by a collector, and neither written nor waiting nor dropped. What is on its way makes it vary."""
    refused: float = 0.0
    """By Kafka, for good, of what came by HTTP."""
    judged: float = 0.0
    rejected: float = 0.0
    """Dead letters."""
    lost: float = 0.0
    """Removed by Kafka before they were read."""
    anomalies: float = 0.0
    buffered: float = 0.0
    """Waits now before Kafka."""
    lag: float = 0.0
    """Waits now in Kafka."""


class Sample(NamedTuple):
    """The totals at a time, in seconds. ``detectors`` grows whenever a detector came, went or began anew."""

    time: float
    totals: Totals
    detectors: int
    unread: tuple[str, ...] = ()
    """Pods that should have answered and did not, with the reason."""
    answered: frozenset[str] = frozenset()
    """Components of which a pod answered."""


@dataclass
class Ledger:
    """The counts of one pipeline.

    ``began`` is Unix seconds: what a pod counted before is not ours to judge, for other pods may be gone by now.
    """

    began: float
    samples: deque[Sample] = field(default_factory=deque)
    _sums: dict[str, float] = field(default_factory=dict)
    _vanished: float = 0.0
    _last: dict[str, dict[str, float]] = field(default_factory=dict)
    _detectors: frozenset[str] = frozenset()
    _generation: int = 0

    def add(self, readings: Iterable[Reading], now: float) -> None:
        """Take what all pods of the pipeline said at a time, in seconds of a clock that never goes back."""
        readings = list(readings)
        answered = [one for one in readings if one.values]
        for one in answered:
            self._count(one.target, one.values)
        detectors = frozenset(one.target.uid for one in readings if one.target.component == "detector")
        if detectors != self._detectors:
            self._detectors, self._generation = detectors, self._generation + 1
        there = {one.target.uid for one in readings}
        self._last = {uid: values for uid, values in self._last.items() if uid in there}
        unread = tuple(f"{one.target.pod}: {one.problem}" for one in readings if one.problem and one.target.ready)
        components = frozenset(one.target.component for one in answered)
        self.samples.append(Sample(now, self._totals(answered), self._generation, unread, components))
        while self.samples[0].time < now - WINDOW_SECONDS:
            self.samples.popleft()

    def _count(self, target: Target, values: dict[str, float]) -> None:
        before = self._last.get(target.uid)
        self._last[target.uid] = values
        if before is None and target.started < self.began:
            return
        anew = before is None or any(values.get(name, 0) < before.get(name, 0) for name in _COUNTERS)
        if anew and target.component == "detector":
            self._generation += 1
        base = {} if before is None or anew else before
        grown = {name: values.get(name, 0) - base.get(name, 0) for name in _COUNTERS}
        for name, count in grown.items():
            self._sums[name] = self._sums.get(name, 0) + count
        if before is not None and not anew:
            queued = values.get(scrape.QUEUED, 0) - before.get(scrape.QUEUED, 0)
            gone = grown[scrape.WRITTEN] + queued + grown[scrape.DROPPED]
            self._vanished += grown[scrape.RECEIVED] - gone if scrape.RECEIVED in values else 0

    def _totals(self, answered: list[Reading]) -> Totals:
        sums = {name: self._sums.get(name, 0) for name in _COUNTERS}

        def now(name: str) -> float:
            return sum(one.values.get(name, 0) for one in answered)

        return Totals(
            received=sums[scrape.RECEIVED] + sums[scrape.TAKEN] + sums[scrape.UNREADABLE],
            written=sums[scrape.WRITTEN] + sums[ACKNOWLEDGED],
            dropped=sums[scrape.DROPPED],
            kernel_dropped=sums[scrape.KERNEL_DROPPED],
            vanished=self._vanished,
            refused=sums[REFUSED],
            judged=sums[scrape.STORED],
            rejected=sums[scrape.REJECTED],
            lost=sums[scrape.LOST],
            anomalies=sums[scrape.ANOMALIES],
            buffered=now(scrape.QUEUED) + now(scrape.WAITING),
            lag=now(scrape.LAG),
        )


def between(first: Sample, last: Sample) -> Totals:
    """Return what was counted between two samples; what waits is that of the last."""
    grown = [after - before for before, after in zip(first.totals, last.totals, strict=True)]
    return Totals(*grown)._replace(buffered=last.totals.buffered, lag=last.totals.lag)
