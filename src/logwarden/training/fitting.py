"""Fit the channels, calibrate them, choose how they are combined and where the threshold lies."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import log2
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
from logwarden.units import UnitConfig

Units = Sequence[RecordingUnits]
ScoredUnits = Sequence[tuple[Recording, list[Scored]]]
"""Recordings with their units, scored in time order."""

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
# A combined surprise below the first of these many a normal unit shows.
_THRESHOLDS = np.arange(0.4, 8.0, 0.05)
# How channels are combined where no labels tell: the strongest decides nearly alone, the others help it.
_PLAIN = "cubic"
# A threshold of PyOD sees at most this many scores: some of them take minutes for a few thousand.
_MOST_SCORES = 1000


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
        TextChannel(model.templates, model.scores),
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


def score(model: DetectionModel, parts: Units, threshold: float | None = None) -> ScoredUnits:
    """Score each recording from a fresh start.

    With a threshold, what it reports is not learned, as in serving; without one, what labels say a fault touched.
    """
    return list(_score(model, parts, threshold))


def choose(
    scored: ScoredUnits,
    unit: UnitConfig,
    channels: Sequence[str] = CHANNELS,
    *,
    method: str = "auto",
    quantile: float = 0.999,
    value: float | None = None,
) -> Choice:
    """Choose the combination and the threshold on the validation recordings.

    Parameters
    ----------
    scored
        The validation recordings, see :func:`score`.
    unit
        How they were cut.
    channels
        The channels to combine; the others get weight 0.
    method
        ``F1`` takes the combination and threshold with the best incident F1, then the fewest false alarms;
        ``Quantile`` takes the 3-norm and the score that ``quantile`` of the normal units stay below; the name of a
        PyOD threshold (``pyod.models.thresholds``) takes the 3-norm and the score that it finds among the units with
        a finding; ``auto`` is F1 where there are at least 5 faults, else Quantile.
    value
        Fixed threshold, a score in [0, 1]: the combination is chosen all the same.

    Raises
    ------
    InvalidInputError
        If the method cannot find a threshold, or the Python package that it needs is missing.
    """
    if method == "auto":
        faults = sum(recording.fault_count for recording, _ in scored)
        method = "F1" if faults >= _ENOUGH_FAULTS else "Quantile"
    if method == "F1":
        choice = _choose_by_f1(scored, unit, channels)
    else:
        weights = _weights(channels, [1.0] * len(channels))
        surprises = np.concatenate([_combine(units, _PLAIN, weights) for _, units in scored])
        if method == "Quantile":
            normal = [is_normal(one.unit, recording) for recording, units in scored for one in units]
            threshold = float(np.quantile(surprises[normal], quantile))
        else:
            threshold = _pyod_threshold(method, surprises[surprises > 0])
        choice = _judged(scored, unit, _PLAIN, weights, method, to_score(max(threshold, float(_THRESHOLDS[0]))))
    if value is None:
        return choice
    return _judged(scored, unit, choice.combination, choice.weights, "fixed", value)


def choose_as_served(model: DetectionModel, parts: Units, channels: Sequence[str] = CHANNELS, **how: Any) -> Choice:
    """Choose as :func:`choose` does, on units that are scored with these channels alone and learned as in serving.

    Whether a unit is learned depends on the threshold, so a first choice is made where labels decide what is learned.
    """
    model = replace(model, fitted=model.fitted | {"weights": _weights(channels, [1.0] * len(channels))})
    first = choose(score(model, parts), model.unit, channels, **how)
    model = replace(model, fitted=model.fitted | first.to_json())
    return choose(score(model, parts, first.threshold), model.unit, channels, **how)


def _judged(
    scored: ScoredUnits,
    unit: UnitConfig,
    combination: str,
    weights: dict[str, float],
    method: str,
    threshold: float,
) -> Choice:
    """Return a choice with what it gives on the validation part."""
    surprise = -2.0 * log2(1.0 - threshold) if threshold < 1 else float("inf")
    _, metrics = best_threshold(_alarms(scored, unit, combination, weights), np.array([surprise]))
    return Choice(combination, weights, method, round(threshold, 5), metrics)


def _choose_by_f1(scored: ScoredUnits, unit: UnitConfig, channels: Sequence[str]) -> Choice:
    if not any(recording.fault_count for recording, _ in scored):
        raise InvalidInputError("threshold method F1 needs labelled faults in the validation part: take Quantile")
    best: Choice | None = None
    for combination, weights in _combinations(channels):
        surprise, metrics = best_threshold(_alarms(scored, unit, combination, weights), _THRESHOLDS)
        if best is None or quality(metrics) > quality(best.metrics):
            best = Choice(combination, weights, "F1", round(to_score(surprise), 5), metrics)
    assert best is not None
    return best


def _alarms(
    scored: ScoredUnits,
    unit: UnitConfig,
    combination: str,
    weights: Mapping[str, float],
) -> ScoredAlarms:
    return [
        (recording, [alarm_of(one.unit, unit) for one in units], _combine(units, combination, weights))
        for recording, units in scored
    ]


def _pyod_threshold(name: str, surprises: NDArray[np.float64]) -> float:
    from pyod.models import thresholds

    scores = np.sort(surprises)
    if len(scores) > _MOST_SCORES:
        scores = scores[np.linspace(0, len(scores) - 1, _MOST_SCORES).astype(int)]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            anomalous = np.asarray(getattr(thresholds, name)().eval(scores)) == 1
    except ModuleNotFoundError as error:
        raise InvalidInputError(
            f"threshold method {name} needs the Python package {error.name}, which is not installed: install it, or "
            "take another method"
        ) from error
    except (ValueError, IndexError, ArithmeticError, np.linalg.LinAlgError) as error:
        raise InvalidInputError(
            f"threshold method {name} fails on the {len(scores)} scores of the validation part ({error}): take F1 or "
            "Quantile"
        ) from error
    if not anomalous.any():
        raise InvalidInputError(f"threshold method {name} finds no outlier in the validation part: take F1 or Quantile")
    return float(scores[anomalous].min())


def _tails(raws: Mapping[EvidenceKind, Sequence[float]], units: int) -> dict[EvidenceKind, Tail]:
    return {kind: Tail.fit(raws.get(kind, ()), units, scale) for kind, scale in _DEFAULT_SCALE.items()}


def _score(
    model: DetectionModel, parts: Units, threshold: float | None = None
) -> Iterable[tuple[Recording, list[Scored]]]:
    for recording, units in parts:
        ensemble = model.ensemble()
        ensemble.prepare(units)
        scored = []
        for unit in units:
            one = ensemble.score(unit)
            normal = is_normal(unit, recording) if threshold is None else not one.reaches(threshold)
            (ensemble.learn if normal else ensemble.reported)(unit)
            scored.append(one)
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
