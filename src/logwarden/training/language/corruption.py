"""Training pairs for restoring masked spans."""

from __future__ import annotations

import numpy as np

from logwarden.language.formulation import Formulation
from logwarden.language.spans import Span, complementary, divide, mask
from logwarden.language.tokenizing import Tokens

Pair = tuple[list[int], list[int]]
"""Encoder input and decoder target, both with their end of sequence."""

_LIGHT = 0.15


def corrupt(text: Tokens, form: Formulation, rng: np.random.Generator) -> Pair:
    """Return the text with spans cut out, and the spans.

    Half of the time the spans are those by which serving measures a loss (every second one); half of the time they
    are lighter and random, as in T5's pretraining, which teaches more about longer contexts.
    """
    hidden = _serving_spans(text, form, rng) if rng.random() < 0.5 else _random_spans(text, form, rng)
    source, target = mask(text.ids, hidden, form.sentinel_ids)
    return [*source, form.eos_id], [*target, form.eos_id]


def _serving_spans(text: Tokens, form: Formulation, rng: np.random.Generator) -> list[Span]:
    first, second = complementary(text.words, form.span_tokens, len(form.sentinel_ids))
    return second if second and rng.random() < 0.5 else first


def _random_spans(text: Tokens, form: Formulation, rng: np.random.Generator) -> list[Span]:
    spans = divide(text.words, int(rng.integers(1, 6)))
    if not spans:
        return []
    wanted = min(len(form.sentinel_ids), max(1, round(_LIGHT * len(spans))))
    chosen = rng.choice(len(spans), wanted, replace=False)
    return [spans[index] for index in sorted(chosen.tolist())]
