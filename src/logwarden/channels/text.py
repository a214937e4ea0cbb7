"""Text: what the language model says of the lines themselves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import log
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from logwarden.api.record import EvidenceKind
from logwarden.channels.base import Finding, Reading
from logwarden.channels.cache import ScoreCache
from logwarden.templates import Templates
from logwarden.units import Unit

_EPSILON = 1e-6
# Below this probability a line is not worth a finding.
_LEAST = 0.02


class Scorer(Protocol):
    """The part of a language model that this channel needs."""

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return P(anomaly) of each text, shape (n,)."""

    def losses(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the mean loss per token of each text, shape (n,)."""


class TextChannel:
    """P(anomaly) and the loss of each distinct line of a unit, by the fine-tuned language model.

    The model sees a line's masked text, and a score cache is keyed by exactly that, so that it runs only on what was
    never seen: the lines of a network repeat a few thousand texts.
    """

    name = "text"

    def __init__(self, templates: Templates, model: Scorer, cache: ScoreCache | None = None) -> None:
        self._templates = templates
        self._model = model
        self.cache = cache or ScoreCache()
        self._normal_loss = 0.0
        # The model can judge only the language it was taught: programs that training did not know are not its business.
        self._apps = {text.partition(":")[0] for text in templates.known.values()}

    def fit(self, units: Iterable[Unit]) -> None:
        """Measure the loss that 95 % of the normal texts stay below."""
        texts = sorted({self._templates.text_of(t) or "" for unit in units for t in unit.templates})
        self._normal_loss = float(np.quantile(self._model.losses(texts), 0.95)) if texts else 0.0

    def prepare(self, units: Sequence[Unit]) -> None:
        """Score in one batch the texts that the cache lacks."""
        missing = {}
        for unit in units:
            for template in unit.templates:
                if template not in self.cache and template not in missing and self._knows(template):
                    missing[template] = self._templates.text_of(template) or ""
        if missing:
            texts = list(missing.values())
            scores = zip(self._model.probabilities(texts), self._model.losses(texts), strict=True)
            for template, (probability, loss) in zip(missing, scores, strict=True):
                self.cache.put(template, (float(probability), float(loss)))

    def read(self, unit: Unit) -> Reading:
        """Return the model's verdicts; ``raw`` is log odds above those of :data:`_LEAST`, or loss above normal."""
        reading = []
        for template in set(unit.templates):
            if not self._knows(template):
                continue
            probability, loss = self.cache.get(template)
            if probability > _LEAST:
                raw = _log_odds(probability) - _log_odds(_LEAST)
                facts: dict[str, str | int | float] = {
                    "template": self._templates.text_of(template) or "",
                    "probability": round(probability, 3),
                }
                reading.append(Finding(EvidenceKind.MODEL_VERDICT, raw, facts, template))
            if loss > self._normal_loss:
                facts = {
                    "template": self._templates.text_of(template) or "",
                    "loss": round(loss, 2),
                    "normal_loss": round(self._normal_loss, 2),
                }
                reading.append(Finding(EvidenceKind.UNLIKELY_TEXT, loss - self._normal_loss, facts, template))
        return reading

    def _knows(self, template: int) -> bool:
        if template in self._templates.known:
            return True
        return (self._templates.text_of(template) or "").partition(":")[0] in self._apps

    def learn(self, unit: Unit) -> None:
        """The model learns only in training."""

    def to_json(self) -> dict[str, Any]:
        """Return what was fitted beside the model itself."""
        return {"normal_loss": round(self._normal_loss, 4)}

    @classmethod
    def from_json(cls, fitted: dict[str, Any], templates: Templates, model: Scorer, cache: ScoreCache) -> TextChannel:
        """Rebuild from :meth:`to_json`."""
        channel = cls(templates, model, cache)
        channel._normal_loss = fitted["normal_loss"]
        return channel

    def to_state(self) -> dict[str, Any]:
        """Nothing is remembered but the cache, which fills again."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Nothing to restore."""


def _log_odds(probability: float) -> float:
    p = min(max(probability, _EPSILON), 1 - _EPSILON)
    return log(p / (1 - p))
