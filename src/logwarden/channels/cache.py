"""A bounded cache of model scores."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Scorer(Protocol):
    """The part of a language model that scores."""

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return P(anomaly) of each text, shape (n,)."""

    def losses(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the mean loss per token of each text, shape (n,)."""


class ScoreCache:
    """Scores of a model, asked once per text; keyed by the exact input, the least recently used dropped first.

    Parameters
    ----------
    score
        Scores texts, many at once better than one by one: shape (n,) for n texts.
    size
        Texts that are remembered.
    """

    def __init__(self, score: Callable[[Sequence[str]], NDArray[np.float32]], size: int = 100_000) -> None:
        self._score = score
        self._size = size
        self._scores: OrderedDict[str, float] = OrderedDict()
        self.lookups = 0
        self.scored = 0

    def prepare(self, texts: Iterable[str]) -> None:
        """Score in one batch the texts that are not known yet."""
        missing = list(dict.fromkeys(text for text in texts if text not in self._scores))
        if not missing:
            return
        self.scored += len(missing)
        for text, score in zip(missing, self._score(missing), strict=True):
            self._scores[text] = float(score)
        while len(self._scores) > self._size:
            self._scores.popitem(last=False)

    def __getitem__(self, text: str) -> float:
        self.lookups += 1
        if text not in self._scores:
            self.prepare([text])
        self._scores.move_to_end(text)
        return self._scores[text]


class ModelScores:
    """Both things that a language model says of a text, cached: the probability of an anomaly, and the loss."""

    def __init__(self, model: Scorer) -> None:
        self.probabilities = ScoreCache(model.probabilities)
        self.losses = ScoreCache(model.losses)

    @property
    def hit_rate(self) -> float:
        """Share of the look-ups that did not need the model, 0 to 1."""
        lookups = self.probabilities.lookups + self.losses.lookups
        return 1 - (self.probabilities.scored + self.losses.scored) / max(1, lookups)
