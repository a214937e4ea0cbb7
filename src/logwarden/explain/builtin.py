"""Explanations written by the packaged T5."""

from __future__ import annotations

import logging
import random
from typing import Protocol

from logwarden.api.record import AnomalyRecord, Explanation
from logwarden.explain import grammar, plain, samples
from logwarden.explain.check import faithful
from logwarden.explain.delexical import Delexicalised, delexicalise
from logwarden.language.formulation import EXPLAIN

MAX_TOKENS = 160

_log = logging.getLogger(__name__)


class TextGenerator(Protocol):
    """The part of a language model that writes."""

    def generate(self, prompt: str, max_tokens: int) -> str:
        """Return the model's answer to a prompt."""
        ...


class BuiltinExplainer:
    """Lets the packaged language model write, and keeps what it wrote only when it is sound and faithful."""

    def __init__(self, model: TextGenerator) -> None:
        self._model = model

    def explain(self, record: AnomalyRecord) -> Explanation:
        """Return the model's text with backend ``builtin``, or the plain rendering."""
        coded = delexicalise(record)
        text = self._write(coded) if coded else None
        if text is None:
            return plain.render(record)
        violations = faithful(text, record)
        if violations:
            _log.debug("record %s: the model's text was not kept: %s", record.id, "; ".join(violations))
            return plain.render(record)
        return Explanation(text=text, backend="builtin", faithful=True)

    def _write(self, coded: Delexicalised) -> str | None:
        written = " ".join(self._model.generate(EXPLAIN + coded.prompt, MAX_TOKENS).split())
        flaws = grammar.flaws(written, coded)
        if flaws:
            _log.debug("the model's text was not kept: %s", "; ".join(flaws))
            return None
        return coded.fill(written)

    def close(self) -> None:
        """Nothing to let go of: the model belongs to whoever loaded it."""


def training_pairs(seed: int, n: int) -> list[tuple[str, str]]:
    """Return ``n`` pairs of prompt and sentence (with slots) that teach a model to explain.

    The same seed gives the same pairs; a longer list begins with the shorter one.
    """
    chance = random.Random(seed)
    pairs: list[tuple[str, str]] = []
    while len(pairs) < n:
        coded = delexicalise(samples.record(chance))
        if coded is not None:
            pairs.append((coded.prompt, grammar.sentence(coded, chance)))
    return pairs
