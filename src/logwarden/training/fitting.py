"""Fit the channels, calibrate them, choose how they are combined and where the threshold lies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logwarden.api.record import EvidenceKind
from logwarden.channels import Channel, Ensemble, NoveltyChannel, RateChannel, TextChannel
from logwarden.channels.calibration import Tail, to_score
from logwarden.channels.ensemble import Scored, combine
from logwarden.datasets import Recording
from logwarden.detect import DetectionModel
from logwarden.errors import InvalidInputError
from logwarden.evaluation.alarms import IncidentMetrics
from logwarden.evaluation.thresholds import ScoredAlarms, best_threshold, quality
from logwarden.evaluation.units import RecordingUnits, alarm_of, is_normal, normal_units

Units = Sequence[RecordingUnits]

CHANNELS = ("text", "novelty", "rate")

# Spread of a kind's raw score above what normal units show, used where normal units show (nearly) none.
_DEFAULT_SCALE = {
    EvidenceKind.NEVER_SEEN_TEMPLATE: 0.5,
    EvidenceKind.NEVER_SEEN_ON_HOST: 0.5,
    EvidenceKind.NEVER_SEEN_COMBINATION: 1.0,
    EvidenceKind.BURST: 2.0,
    EvidenceKind.SILENCE: 0.4,
    EvidenceKind.MISSING_EVENT: 0.6,
    EvidenceKind.CLOCK_OFFSET: 2.0,
    EvidenceKind.MODEL_VERDICT: 2.0,
    EvidenceKind.UNLIKELY_TEXT: 0.5,
}
_ENOUGH_FAULTS = 5
_WEIGHTS = (0.4, 0.6, 0.8, 1.0)
_THRESHOLDS = np.arange(0.4, 8.0, 0.05)


@dataclass(frozen=True, slots=True)
class Choice:
    """How channels are combined, the threshold (a score in [0, 1]), and what they gave on the validation part."""

    combination: str
    weights: dict[str, float]
    method: str
    threshold: float
    metrics: IncidentMetrics

    def to_json(self) -> dict[str, Any]:
        """Return the part of a revision's fitted values that this choice settles."""
        return {"combination": self.combination, "weights": self.weights, "threshold": self.threshold}


def fit_channels(model: DetectionModel, parts: Units) -> DetectionModel:
    """Fit every channel to the normal units of the training recordings."""
    channels: list[Channel] = [
        TextChannel(model.templates, model.language, model.cache),
        NoveltyChannel(model.templates),
        RateChannel(model.templates),
    ]
    for channel in channels:
        channel.fit(normal_units(parts))
    ensemble = Ensemble(channels, _tails({}, 0), dict.fromkeys(CHANNELS, 1.0), "average", 1.0)
    return replace(model, fitted=ensemble.to_json() | {"unit": model.unit.to_json()})


def calibrate(model: DetectionModel, parts: Units) -> DetectionModel:
    """Fit the tail of each kind of finding to the normal units of recordings that the channels have not seen."""
    raws: defaultdict[EvidenceKind, list[float]] = defaultdict(list)
    normal_units = 0
    for recording, scored in _score(model, parts):
        for one in scored:
            if not is_normal(one.unit, recording):
                continue
            normal_units += 1
            strongest: dict[EvidenceKind, float] = {}
            for _, _, finding in one.findings:
                strongest[finding.kind] = max(finding.raw, strongest.get(finding.kind, 0.0))
            for kind, raw in strongest.items():
                raws[kind].append(raw)
    tails = {kind.value: tail.to_json() for kind, tail in _tails(raws, normal_units).items()}
    return replace(model, fitted=model.fitted | {"tails": tails})


def choose(
    model: DetectionModel,
    parts: Units,
    channels: Sequence[str] = CHANNELS,
    *,
    method: str = "auto",
    quantile: float = 0.999,
) -> Choice:
    """Choose the combination and the threshold on the validation recordings.

    Parameters
    ----------
    channels
        The channels to combine; the others get weight 0.
    method
        ``F1`` takes the combination and threshold with the best incident F1, then the fewest false alarms;
        ``Quantile`` takes the plain average and the score that ``quantile`` of the normal units stay below; the name
        of a PyOD threshold (``pyod.models.thresholds``) takes the plain average and the score that it finds;
        ``auto`` is F1 where there are at least 5 faults, else Quantile.
    """
    scored = list(_score(model, parts))
    if method == "auto":
        faults = sum(len(recording.faults) for recording, _ in parts)
        method = "F1" if faults >= _ENOUGH_FAULTS else "Quantile"
    if method == "F1":
        return _choose_by_f1(model, scored, channels)
    weights = _weights(channels, [1.0] * len(channels))
    surprises = np.concatenate([_combine(units, "average", weights) for _, units in scored])
    if method == "Quantile":
        normal = [is_normal(one.unit, recording) for recording, units in scored for one in units]
        threshold = float(np.quantile(surprises[normal], quantile))
    else:
        threshold = _pyod_threshold(method, surprises)
    alarms = _alarms(model, scored, "average", weights)
    _, metrics = best_threshold(alarms, np.array([threshold]))
    return Choice("average", weights, method, round(to_score(threshold), 5), metrics)


def _choose_by_f1(
    model: DetectionModel, scored: Sequence[tuple[Recording, list[Scored]]], channels: Sequence[str]
) -> Choice:
    best: Choice | None = None
    for combination, weights in _combinations(channels):
        surprise, metrics = best_threshold(_alarms(model, scored, combination, weights), _THRESHOLDS)
        if best is None or quality(metrics) > quality(best.metrics):
            best = Choice(combination, weights, "F1", round(to_score(surprise), 5), metrics)
    assert best is not None
    return best


def _alarms(
    model: DetectionModel,
    scored: Sequence[tuple[Recording, list[Scored]]],
    combination: str,
    weights: Mapping[str, float],
) -> ScoredAlarms:
    return [
        (recording, [alarm_of(one.unit, model.unit) for one in units], _combine(units, combination, weights))
        for recording, units in scored
    ]


def _pyod_threshold(name: str, surprises: NDArray[np.float64]) -> float:
    from pyod.models import thresholds

    anomalous = np.asarray(getattr(thresholds, name)().eval(surprises)) == 1
    if not anomalous.any():
        raise InvalidInputError(f"threshold method {name} finds no outlier in the validation part: take F1 or Quantile")
    return float(surprises[anomalous].min())


def _tails(raws: Mapping[EvidenceKind, Sequence[float]], units: int) -> dict[EvidenceKind, Tail]:
    return {kind: Tail.fit(raws.get(kind, ()), units, scale) for kind, scale in _DEFAULT_SCALE.items()}


def _score(model: DetectionModel, parts: Units) -> Iterable[tuple[Recording, list[Scored]]]:
    """Score each recording from a fresh start, learning from its normal units as serving would."""
    for recording, units in parts:
        ensemble = model.ensemble()
        ensemble.prepare(units)
        scored = []
        for unit in units:
            scored.append(ensemble.score(unit))
            if is_normal(unit, recording):
                ensemble.learn(unit)
        yield recording, scored


def _combinations(channels: Sequence[str]) -> Iterable[tuple[str, dict[str, float]]]:
    """Yield methods and weights, plain ones first: a later one must be better to be chosen."""
    yield "average", _weights(channels, [1.0] * len(channels))
    if len(channels) == 1:
        return
    for values in product(_WEIGHTS, repeat=len(channels)):
        if max(values) == 1.0:
            for combination in ("cubic", "maximum", "average"):
                yield combination, _weights(channels, values)


def _weights(channels: Sequence[str], values: Sequence[float]) -> dict[str, float]:
    given = dict(zip(channels, values, strict=True))
    return {name: given.get(name, 0.0) for name in CHANNELS}


def _combine(scored: Sequence[Scored], combination: str, weights: Mapping[str, float]) -> NDArray[np.float64]:
    surprises = np.array([[one.surprises[name] for name in CHANNELS] for one in scored])
    return combine(surprises, np.array([weights[name] for name in CHANNELS]), combination)
