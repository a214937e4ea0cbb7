"""Trivial detectors on the same units, so that a reader sees what the model adds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from logwarden.detect import DetectionModel
from logwarden.evaluation.alarms import measure
from logwarden.evaluation.thresholds import best_threshold, reported
from logwarden.evaluation.units import RecordingUnits, alarm_of, normal_units
from logwarden.units import Unit


class Baseline(Protocol):
    """A detector of a few lines: fitted on normal units, a score per unit, higher is more anomalous."""

    name: str

    def fit(self, units: Iterable[Unit]) -> None:
        """Learn from normal units."""

    def score(self, units: Sequence[Unit]) -> list[float]:
        """Score the units of one recording, in time order."""


class NewTemplate:
    """How many templates of a unit no normal training unit had."""

    name = "new template"

    def fit(self, units: Iterable[Unit]) -> None:
        """Collect the templates of normal units."""
        self._known = {template for unit in units for template in unit.counts}

    def score(self, units: Sequence[Unit]) -> list[float]:
        """Return the number of distinct new templates."""
        return [float(len(unit.counts.keys() - self._known)) for unit in units]


class NewCountVector:
    """Whether any normal training unit had the same count of every template."""

    name = "new count vector"

    def fit(self, units: Iterable[Unit]) -> None:
        """Collect the count vectors of normal units."""
        self._known = {_vector(unit) for unit in units}

    def score(self, units: Sequence[Unit]) -> list[float]:
        """Return 1 for a new vector, else 0."""
        return [float(bool(unit.templates) and _vector(unit) not in self._known) for unit in units]


class LineRate:
    """A host's lines in a slot, or those of a session, against the most that training saw."""

    name = "line rate"

    def fit(self, units: Iterable[Unit]) -> None:
        """Find the most lines that each host sent in one slot, or the longest session."""
        self._most: defaultdict[str, int] = defaultdict(int)
        for unit, lines in _slot_lines(units):
            self._most[unit.group] = max(self._most[unit.group], lines)

    def score(self, units: Sequence[Unit]) -> list[float]:
        """Return lines so far in the slot / most in training."""
        return [lines / max(1, self._most[unit.group]) for unit, lines in _slot_lines(units)]


def evaluate_baselines(
    model: DetectionModel,
    train: Sequence[RecordingUnits],
    validation: Sequence[RecordingUnits],
    test: Sequence[RecordingUnits],
) -> list[dict[str, Any]]:
    """Fit each baseline on the training units, set its threshold on the validation part, measure on the test part."""
    results = []
    baselines: tuple[Baseline, ...] = (NewTemplate(), NewCountVector(), LineRate())
    for baseline in baselines:
        baseline.fit(normal_units(train))
        scored = {
            part: [
                (recording, [alarm_of(unit, model.unit) for unit in units], np.array(baseline.score(units)))
                for recording, units in recordings
            ]
            for part, recordings in (("validation", validation), ("test", test))
        }
        scores = np.concatenate([values for _, _, values in scored["validation"]])
        # Where nothing scored above 0, nothing will be reported either.
        candidates = np.unique(scores[scores > 0])[-400:] if (scores > 0).any() else np.array([1.0])
        threshold, _ = best_threshold(scored["validation"], candidates)
        metrics = measure(reported(scored["test"], threshold))
        results.append({"name": baseline.name, "threshold": threshold, "incident": metrics.to_json()})
    return results


def _vector(unit: Unit) -> tuple[tuple[int, int], ...]:
    return tuple(sorted(unit.counts.items()))


def _slot_lines(units: Iterable[Unit]) -> Iterator[tuple[Unit, int]]:
    lines: defaultdict[tuple[str, float], int] = defaultdict(int)
    for unit in units:
        slot = (unit.session or unit.host, unit.slot)
        lines[slot] += len(unit.templates)
        yield unit, lines[slot]
