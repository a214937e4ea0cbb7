"""Text: what the language model says of the lines themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from math import log
from typing import Any

import numpy as np

from logwarden.api.record import EvidenceKind
from logwarden.channels.base import Facts, Finding, Reading
from logwarden.channels.cache import ModelScores
from logwarden.templates import Templates
from logwarden.units import Unit

SEPARATOR = " | "
"""Stands between the lines of a unit in what the language model reads."""

_EPSILON = 1e-6
# Below this probability a unit is not worth a finding.
_LEAST = 0.02
# Share of the normal units that have a line of a template for it to be usual.
_USUAL = 0.03


class TextChannel:
    """P(anomaly) of a unit's unusual lines, read together, and the loss of each distinct line.

    Scores are cached by exactly what the model reads, so that it runs only on what was never seen: the lines of a
    network repeat a few thousand texts, and most units hold nothing unusual.
    """

    name = "text"

    def __init__(self, templates: Templates, scores: ModelScores) -> None:
        self._templates = templates
        self._scores = scores
        self._normal_loss = 0.0
        self._usual: frozenset[int] = frozenset()
        # Known templates whose loss is normal: most units hold nothing else, and need no look at each line.
        self._ordinary: set[int] = set()
        # The model can judge only the language it was taught: programs that training did not know are not its business.
        self._apps = {text.partition(":")[0] for text in templates.known.values()}

    def fit(self, units: Iterable[Unit]) -> None:
        """Learn which templates are usual, and the loss that 95 % of the normal texts stay below."""
        units = list(units)
        self._usual = usual_templates(units)
        texts = {self._text(template): template for unit in units for template in unit.counts}
        self._scores.losses.prepare(sorted(texts))
        losses = {text: self._scores.losses[text] for text in sorted(texts)}
        self._normal_loss = round(float(np.quantile([*losses.values()], 0.95)), 4) if losses else 0.0
        ordinary = {texts[text] for text, loss in losses.items() if loss <= self._normal_loss}
        self._ordinary = ordinary & self._templates.known.keys()

    def prepare(self, units: Sequence[Unit]) -> None:
        """Measure in one batch the loss of lines that the cache lacks."""
        lines = {template for unit in units for template in unit.counts} - self._ordinary
        self._scores.losses.prepare(self._text(template) for template in lines if self._knows(template))

    def reads(self, unit: Unit) -> bool:
        """Whether a unit holds something unusual that the model can judge."""
        return any(template not in self._usual and self._knows(template) for template in unit.counts)

    def ask(self, units: Iterable[Unit]) -> None:
        """Let the model read in one batch what the cache lacks of these units."""
        self._scores.probabilities.prepare(text for _, text in map(self._unusual, units) if text)

    def read(self, unit: Unit) -> Reading:
        """Return the model's verdicts; ``raw`` is log odds above those of :data:`_LEAST`, or loss above normal."""
        return [*self.verdict(unit), *self.unlikely(unit)]

    def sure_verdict(self, unit: Unit) -> Reading:
        """Return what :meth:`verdict` finds if the model is sure of trouble, without asking it."""
        most = _log_odds(1.0) - _log_odds(_LEAST)
        return [Finding(EvidenceKind.MODEL_VERDICT, most, {})] if self.reads(unit) else []

    def unlikely(self, unit: Unit) -> Reading:
        """Return the lines whose text the model did not expect."""
        if self._ordinary.issuperset(unit.counts):
            self._scores.losses.lookups += len(unit.counts)
            return []
        reading = []
        for template in unit.counts:
            if self._knows(template):
                text = self._text(template)
                loss = self._scores.losses[text]
                if loss <= self._normal_loss:
                    if template in self._templates.known:
                        self._ordinary.add(template)
                else:
                    facts: Facts = {
                        "template": text,
                        "loss": round(loss, 2),
                        "normal_loss": round(self._normal_loss, 2),
                    }
                    reading.append(Finding(EvidenceKind.UNLIKELY_TEXT, loss - self._normal_loss, facts, template))
        return reading

    def trouble(self, unit: Unit) -> float:
        """How much a unit reads like trouble: 0 when nothing in it is unusual, 1 also when the model cannot tell."""
        if self.sure_trouble(unit):
            return 1.0
        text = self._unusual(unit)[1]
        return self._scores.probabilities[text] if text else 0.0

    def sure_trouble(self, unit: Unit) -> float:
        """Return what :meth:`trouble` is at the least, without asking the model."""
        return 0.0 if all(map(self._knows, unit.counts)) else 1.0

    def verdict(self, unit: Unit) -> Reading:
        """Return what the model says of a unit's unusual lines."""
        unusual, text = self._unusual(unit)
        probability = self._scores.probabilities[text] if text else 0.0
        if probability <= _LEAST:
            return []
        facts: Facts = {"template": self._text(unusual[0]), "probability": round(probability, 3)}
        if len(unusual) > 1:
            facts["other_messages"] = len(unusual) - 1
        raw = _log_odds(probability) - _log_odds(_LEAST)
        return [Finding(EvidenceKind.MODEL_VERDICT, raw, facts, unusual[0])]

    def _unusual(self, unit: Unit) -> tuple[list[int], str]:
        """Return the unusual templates of a unit that the model can judge, and what it reads of them."""
        if self._usual.issuperset(unit.counts):
            return [], ""
        unusual = Counter({t: count for t, count in unit.counts.items() if t not in self._usual and self._knows(t)})
        return unit_text(unusual, self._text) if unusual else ([], "")

    def _text(self, template: int) -> str:
        return self._templates.text_of(template) or ""

    def _knows(self, template: int) -> bool:
        return template in self._templates.known or self._text(template).partition(":")[0] in self._apps

    def learn(self, unit: Unit) -> None:
        """The model learns only in training."""

    def reported(self, unit: Unit) -> None:
        """The model judges each text by itself."""

    def to_json(self) -> dict[str, Any]:
        """Return what was fitted beside the model itself."""
        return {
            "normal_loss": self._normal_loss,
            "usual": sorted(self._usual),
            # So that a detector does not ask the model at its start for what it said in training.
            "ordinary": sorted(self._ordinary),
        }

    @classmethod
    def from_json(cls, fitted: dict[str, Any], templates: Templates, scores: ModelScores) -> TextChannel:
        """Rebuild from :meth:`to_json`."""
        channel = cls(templates, scores)
        channel._normal_loss = fitted["normal_loss"]
        channel._usual = frozenset(fitted["usual"])
        channel._ordinary = set(fitted.get("ordinary", ()))
        return channel

    def to_state(self) -> dict[str, Any]:
        """Nothing is remembered but the cache, which fills again."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Nothing to restore."""


def usual_templates(units: Sequence[Unit]) -> frozenset[int]:
    """Return the templates of which at least :data:`_USUAL` of these normal units have a line."""
    counts = Counter(template for unit in units for template in unit.counts)
    return frozenset(template for template, count in counts.items() if count >= _USUAL * len(units))


def unit_text(unusual: Counter[int], text_of: Callable[[int], str]) -> tuple[list[int], str]:
    """Put the lines of a unit that are not usual into the form that the language model reads.

    The distinct ones, the least frequent first, each with its count rounded down to a power of two, so that units of
    one kind give one text.

    Parameters
    ----------
    unusual
        Lines per template id.
    text_of
        Gives the text of a template.

    Returns
    -------
    tuple
        The distinct templates in their order, and the text.
    """
    counted = sorted((count.bit_length(), text_of(template), template) for template, count in unusual.items())
    lines = (text if bits == 1 else f"{1 << bits - 1}x {text}" for bits, text, _ in counted)
    return [template for _, _, template in counted], SEPARATOR.join(lines)


def _log_odds(probability: float) -> float:
    p = min(max(probability, _EPSILON), 1 - _EPSILON)
    return log(p / (1 - p))
