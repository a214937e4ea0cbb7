"""All channels together: readings, calibrated, combined to one score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from logwarden.api.record import EvidenceKind
from logwarden.channels.base import Channel, Finding
from logwarden.channels.cache import ModelScores
from logwarden.channels.calibration import Tail, to_score
from logwarden.channels.novelty import NoveltyChannel
from logwarden.channels.rate import RateChannel
from logwarden.channels.text import TextChannel
from logwarden.templates import Templates
from logwarden.units import Unit

# Findings about messages that are normal elsewhere or by themselves.
_KNOWN_MESSAGES = frozenset({EvidenceKind.NEVER_SEEN_ON_HOST, EvidenceKind.NEVER_SEEN_COMBINATION})


class Scored(NamedTuple):
    """A unit with what the channels say of it.

    ``surprises`` has one value per channel, -log10 of the probability among normal units. ``findings`` pairs each
    finding with its own surprise and channel, the most surprising first.
    """

    unit: Unit
    score: float
    surprises: dict[str, float]
    findings: list[tuple[float, str, Finding]]


class Ensemble:
    """Channels, their calibration and their weights.

    The weighted surprises of the channels are combined (:func:`combine`) and mapped to [0, 1].
    """

    def __init__(
        self,
        channels: Sequence[Channel],
        tails: Mapping[EvidenceKind, Tail],
        weights: Mapping[str, float],
        combination: str,
        threshold: float,
    ) -> None:
        self.channels = list(channels)
        self.tails = dict(tails)
        self.weights = dict(weights)
        self.combination = combination
        self.threshold = threshold
        self._rate = next((channel for channel in channels if isinstance(channel, RateChannel)), None)
        texts = (channel for channel in channels if isinstance(channel, TextChannel))
        self._text = next(texts, None) if self.weights.get(TextChannel.name) else None
        self._weights = np.array([self.weights.get(channel.name, 0.0) for channel in self.channels])

    def prepare(self, units: Sequence[Unit]) -> None:
        """Let the channels batch their work for units that :meth:`score` is going to see."""
        for channel in self.channels:
            channel.prepare(units)

    def score(self, unit: Unit) -> Scored:
        """Score a prepared unit. Units come in time order, each learned or reported before the next is scored."""
        findings = [
            (self._surprise(finding, unit), channel.name, finding)
            for channel in self.channels
            for finding in channel.read(unit)
        ]
        surprises = {channel.name: 0.0 for channel in self.channels}
        if not findings:
            return Scored(unit, 0.0, surprises, findings)
        for surprise, name, _ in findings:
            surprises[name] = max(surprises[name], surprise)
        combined = combine(np.array([list(surprises.values())]), self._weights, self.combination)[0]
        findings.sort(key=lambda item: -item[0])
        return Scored(unit, to_score(float(combined)), surprises, findings)

    def _surprise(self, finding: Finding, unit: Unit) -> float:
        """Return the calibrated surprise of a finding; for known messages in a new place, as far as it is believed.

        Planned work brings known messages to new hosts and into new company as often as faults do, so that alone counts
        half. The language model, which knows the messages of either, gives back what it finds to read like trouble. In
        sessions it is the counts that are new, and they count in full.
        """
        surprise = self.tails[finding.kind].surprise(finding.raw)
        if surprise and unit.session is None and finding.kind in _KNOWN_MESSAGES:
            trouble = self._text.trouble(unit) if self._text else 0.0
            surprise *= 0.5 + 0.5 * trouble
        return surprise

    def silence(self, host: str, gap: float) -> float:
        """How many times its longest normal silence a host has been silent for ``gap`` seconds; 0 if unknown."""
        return self._rate.silence(host, gap) if self._rate else 0.0

    def judge(self, unit: Unit, threshold: float) -> tuple[Scored, bool]:
        """Score a prepared unit, say whether it is an anomaly, and tell every channel before the next one comes."""
        scored = self.score(unit)
        # Without a finding there is nothing to tell, however low the threshold.
        anomalous = bool(scored.findings) and scored.score >= threshold
        if anomalous:
            self.reported(unit)
        else:
            self.learn(unit)
        return scored, anomalous

    def learn(self, unit: Unit) -> None:
        """Tell every channel of a unit that was judged normal."""
        for channel in self.channels:
            channel.learn(unit)

    def reported(self, unit: Unit) -> None:
        """Tell every channel of a unit that was told as an anomaly."""
        for channel in self.channels:
            channel.reported(unit)

    def to_json(self) -> dict[str, Any]:
        """Return everything that was fitted, for the revision."""
        return {
            "channels": {channel.name: channel.to_json() for channel in self.channels},
            "tails": {kind.value: tail.to_json() for kind, tail in self.tails.items()},
            "weights": self.weights,
            "combination": self.combination,
            "threshold": self.threshold,
        }

    @classmethod
    def from_json(cls, fitted: dict[str, Any], templates: Templates, scores: ModelScores) -> Ensemble:
        """Rebuild from :meth:`to_json`, with the scores of a language model."""
        channels = fitted["channels"]
        return cls(
            [
                TextChannel.from_json(channels["text"], templates, scores),
                NoveltyChannel.from_json(channels["novelty"], templates),
                RateChannel.from_json(channels["rate"], templates),
            ],
            {EvidenceKind(kind): Tail.from_json(tail) for kind, tail in fitted["tails"].items()},
            fitted["weights"],
            fitted["combination"],
            fitted["threshold"],
        )

    def to_state(self) -> dict[str, Any]:
        """Return what the channels learned and remember, for a checkpoint."""
        return {channel.name: channel.to_state() for channel in self.channels}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`to_state`."""
        for channel in self.channels:
            channel.restore(state[channel.name])


def combine(surprises: NDArray[np.float64], weights: NDArray[np.float64], combination: str) -> NDArray[np.float64]:
    """Combine surprises to one per unit, shape (units, channels) to (units,).

    ``average`` wants several channels to agree, ``maximum`` trusts each one alone; ``cubic`` (the 3-norm) lies
    between: the strongest channel decides nearly alone and the others help it over the threshold.
    """
    weighted = surprises * weights
    if combination == "maximum":
        return np.asarray(weighted.max(axis=1))
    if combination == "cubic":
        return np.asarray(np.cbrt((weighted**3).sum(axis=1)))
    return np.asarray(weighted.sum(axis=1) / weights.sum())
