"""Explanations in the words of the packaged T5."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Protocol

from logwarden.api.record import AnomalyRecord, EvidenceKind, Explanation
from logwarden.explain import phrases, plain
from logwarden.explain.check import faithful
from logwarden.explain.wording import Slotted
from logwarden.language.formulation import EXPLAIN

MAX_TOKENS = 64
_REMEMBERED = 1024

_log = logging.getLogger(__name__)


class TextGenerator(Protocol):
    """The part of a language model that writes."""

    def generate(self, prompt: str, max_tokens: int) -> str:
        """Return the model's answer to a prompt."""
        ...


class BuiltinExplainer:
    """Lets the packaged language model word each finding, and keeps what it wrote only when it is sound and faithful.

    The model sees slots instead of values, so there are few prompts, and its answers are remembered.
    """

    def __init__(self, model: TextGenerator) -> None:
        self._write = lru_cache(_REMEMBERED)(lambda prompt: model.generate(EXPLAIN + prompt, MAX_TOKENS))

    def explain(self, record: AnomalyRecord) -> Explanation:
        """Return the model's text with backend ``builtin``, or the plain rendering."""
        text = plain.compose(record, self._word) if record.evidence else None
        if text is None:
            return plain.render(record)
        violations = faithful(text, record)
        if violations:
            _log.debug("record %s: the model's text was not kept: %s", record.id, "; ".join(violations))
            return plain.render(record)
        return Explanation(text=text, backend="builtin", faithful=True)

    def _word(self, kind: EvidenceKind, roles: phrases.Roles) -> str | None:
        finding = Slotted.of(kind, roles)
        clause = " ".join(self._write(finding.prompt).split())
        flaws = finding.flaws(clause)
        if flaws:
            _log.debug("the model's words for %s were not kept: %s", finding.prompt, "; ".join(flaws))
            return None
        return finding.fill(clause)

    def close(self) -> None:
        """Nothing to let go of: the model belongs to whoever loaded it."""
