"""Training pairs for writing explanations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from logwarden.language.formulation import EXPLAIN, Formulation
from logwarden.language.tokenizing import token_ids
from logwarden.training.language.config import Example
from logwarden.training.language.corruption import Pair


def explanation_pairs(tokenizer: Any, form: Formulation, examples: Sequence[Example]) -> list[Pair]:
    """Return the token ids of each example's input and target, the target whole: a cut one would teach to stop."""
    sources = token_ids(tokenizer, [EXPLAIN + e.text for e in examples])
    targets = token_ids(tokenizer, [e.target for e in examples])
    return [
        ([*source[: form.max_tokens - 1], form.eos_id], [*target, form.eos_id])
        for source, target in zip(sources, targets, strict=True)
    ]
