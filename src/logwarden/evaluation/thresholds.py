"""Choose a threshold by what an operator would see on the validation part."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from logwarden.datasets import Recording
from logwarden.evaluation.alarms import Alarm, IncidentMetrics, measure

ScoredAlarms = Sequence[tuple[Recording, Sequence[Alarm], NDArray[np.float64]]]
"""For each recording, what could be reported, and the score of each."""


def best_threshold(scored: ScoredAlarms, candidates: NDArray[np.float64]) -> tuple[float, IncidentMetrics]:
    """Return the threshold with the best incident F1, fewest false alarms among equals, and its metrics.

    When faults are few, a range of thresholds is equally good: the middle of the longest such range is taken and not
    its edge, so that one lucky unit decides nothing.

    Parameters
    ----------
    scored
        Alarms and scores of the validation recordings; an alarm is given when its score is at least the threshold.
    candidates
        Thresholds to try, increasing.
    """
    results = [measure(reported(scored, threshold)) for threshold in candidates]
    best = max(quality(result) for result in results)
    chosen = _middle_of_longest_run([quality(result) == best for result in results])
    return float(candidates[chosen]), results[chosen]


def reported(scored: ScoredAlarms, threshold: float) -> list[tuple[Recording, list[Alarm]]]:
    """Return the alarms of each recording whose score is at least ``threshold``."""
    return [
        (recording, [possible[i] for i in np.flatnonzero(scores >= threshold).tolist()])
        for recording, possible, scores in scored
    ]


def quality(metrics: IncidentMetrics) -> tuple[float, int]:
    """What makes one result better than another: F1, then fewer false alarms."""
    return (round(metrics.f1, 3), -metrics.false_alarms)


def _middle_of_longest_run(flags: Sequence[bool]) -> int:
    best = start = longest = 0
    for i, flag in enumerate([*flags, False]):
        if not flag:
            if i - start > longest:
                longest, best = i - start, (start + i - 1) // 2
            start = i + 1
    return best
