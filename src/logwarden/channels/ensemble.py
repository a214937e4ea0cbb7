"""All channels together: readings, calibrated, combined to one score."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from logwarden.api.record import EvidenceKind
from logwarden.channels.base import Channel, Finding, Reading
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
    finding with its own surprise and channel, the most surprising first. ``telling`` is the finding by which it is the
    same anomaly as another: the most surprising of those that make it one whatever the verdict of the language model,
    else of all.
    """

    unit: Unit
    score: float
    surprises: dict[str, float]
    findings: list[tuple[float, str, Finding]]
    telling: Finding | None = None

    def reaches(self, threshold: float) -> bool:
        """Whether this is an anomaly. Without a finding there is nothing to tell, however low the threshold."""
        return bool(self.findings) and self.score >= threshold


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
        self._text = next((channel for channel in channels if isinstance(channel, TextChannel)), None)
        self._novelty = next((channel for channel in channels if isinstance(channel, NoveltyChannel)), None)
        self._rate = next((channel for channel in channels if isinstance(channel, RateChannel)), None)
        self._weights = np.array([self.weights.get(channel.name, 0.0) for channel in self.channels])

    def prepare(
        self, units: Sequence[Unit], threshold: float = 0.0, counted: Callable[[Unit], bool] = lambda unit: False
    ) -> None:
        """Let the channels batch their work for units that :meth:`score` or :meth:`judge` is going to see.

        The language model reads in one batch those that may reach the threshold, by what is novel about them now, but
        for those that are likely to be only ``counted``; what it has to read beside them it reads when :meth:`judge`
        comes to it.
        """
        for channel in self.channels:
            channel.prepare(units)
        if self._text is not None:
            text, novelty = self._text, self._novelty
            to_read = [unit for unit in units if text.reads(unit) and not counted(unit)]
            if threshold > 0 and novelty is not None:
                to_read = [
                    unit
                    for unit in to_read
                    if self._highest({text: text.sure_verdict(unit), novelty: novelty.read(unit)}) >= threshold
                ]
            text.ask(to_read)

    def score(self, unit: Unit) -> Scored:
        """Score a prepared unit. Units come in time order, each learned or reported before the next is scored."""
        return self._scored(unit, {channel: channel.read(unit) for channel in self.channels}, self._trouble)

    def _scored(self, unit: Unit, readings: Mapping[Channel, Reading], trouble: Callable[[Unit], float]) -> Scored:
        """Score a unit by these findings; ``trouble`` tells how much it reads like it, see :meth:`_surprise`."""
        findings = [
            (self._surprise(finding, unit, trouble), channel.name, finding)
            for channel in self.channels
            for finding in readings[channel]
        ]
        surprises = {channel.name: 0.0 for channel in self.channels}
        if not findings:
            return Scored(unit, 0.0, surprises, findings)
        for surprise, name, _ in findings:
            surprises[name] = max(surprises[name], surprise)
        findings.sort(key=lambda item: -item[0])
        return Scored(unit, self._combined(surprises), surprises, findings, findings[0][2])

    def _highest(self, readings: Mapping[Channel, Reading]) -> float:
        """Return the score that a unit with these findings has at the most: known messages are believed in full.

        No weight is negative, and no combination falls when a surprise rises.
        """
        if not any(readings.values()):
            return 0.0
        highest = {channel.name: 0.0 for channel in self.channels}
        for channel, reading in readings.items():
            for finding in reading:
                highest[channel.name] = max(highest[channel.name], self.tails[finding.kind].surprise(finding.raw))
        return self._combined(highest)

    def _combined(self, surprises: Mapping[str, float]) -> float:
        return to_score(float(combine(np.array([list(surprises.values())]), self._weights, self.combination)[0]))

    def _surprise(self, finding: Finding, unit: Unit, trouble: Callable[[Unit], float]) -> float:
        """Return the calibrated surprise of a finding; for known messages in a new place, as far as it is believed.

        Planned work brings known messages to new hosts and into new company as often as faults do, so that alone counts
        half. The language model, which knows the messages of either, gives back what it finds to read like trouble. In
        sessions it is the counts that are new, and they count in full.
        """
        surprise = self.tails[finding.kind].surprise(finding.raw)
        if surprise and unit.session is None and finding.kind in _KNOWN_MESSAGES:
            surprise *= 0.5 + 0.5 * trouble(unit)
        return surprise

    def _trouble(self, unit: Unit) -> float:
        return self._text.trouble(unit) if self._text and self.weights.get(TextChannel.name) else 0.0

    def _sure_trouble(self, unit: Unit) -> float:
        return self._text.sure_trouble(unit) if self._text and self.weights.get(TextChannel.name) else 0.0

    def silence(self, host: str, gap: float) -> float:
        """How many times its longest normal silence a host has been silent for ``gap`` seconds; 0 if unknown."""
        return self._rate.silence(host, gap) if self._rate else 0.0

    def judge(
        self, unit: Unit, threshold: float, counted: Callable[[Scored], bool] = lambda scored: False
    ) -> Scored | None:
        """Return a prepared unit with its score if it is an anomaly to be told, else None; then tell every channel.

        Most units are normal whatever the language model would say of them, so it is asked about the others only. That
        changes no result. Nor is it asked about what is an anomaly without it and need only be counted.

        Parameters
        ----------
        counted
            Is given an anomaly with what is known of it, and returns whether it repeats one that was told, so that
            nobody needs more.
        """
        text = self._text
        readings = {channel: channel.read(unit) for channel in self.channels if channel is not text}
        unlikely: Reading = []
        if text is not None:
            unlikely = text.unlikely(unit)
            readings[text] = [*text.sure_verdict(unit), *unlikely]
        if self._highest(readings) < threshold:
            self.learn(unit)
            return None
        if text is not None:
            readings[text] = unlikely
        least = self._scored(unit, readings, self._sure_trouble)
        sure = least.reaches(threshold)
        if not (sure and counted(least)):
            if text is not None:
                readings[text] = [*text.verdict(unit), *unlikely]
            scored = self._scored(unit, readings, self._trouble)
            if not scored.reaches(threshold):
                self.learn(unit)
                return None
            if sure:
                scored = scored._replace(telling=least.telling)
            if sure or not counted(scored):
                self.reported(unit)
                return scored
        for channel in self.channels:
            # What the model would have said of a message is not known, so that message stays new.
            if not sure or channel is not self._novelty:
                channel.reported(unit)
        return None

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
