"""The packaged model's text is used when it is sound and faithful, and never otherwise."""

from __future__ import annotations

import re
from random import Random

import pytest

from logwarden.api.anomaly_model import ExplanationSpec
from logwarden.api.record import EvidenceKind
from logwarden.errors import InvalidInputError
from logwarden.explain import SLOT_WORDS, case_title, faithful, make_explainer, phrases, plain, render, training_pairs
from logwarden.explain.builtin import BuiltinExplainer
from logwarden.explain.wording import MAX_WORDS, Slotted
from tests.explain import samples
from tests.explain.records import burst, record

BURST = record(burst())
GOOD = "APP1 wrote TEXT1 C1 in T1, where normal is at most N1"


class Writer:
    """Writes what it was given: stands in for the weights, which are trained elsewhere."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.prompts: list[str] = []

    def generate(self, prompt: str, max_tokens: int) -> str:
        """Return the text."""
        self.prompts.append(prompt)
        return self.text


def test_a_sound_clause_gets_its_values_back() -> None:
    explanation = BuiltinExplainer(Writer(GOOD)).explain(BURST)
    assert explanation.backend == "builtin"
    assert explanation.faithful
    assert explanation.text == (
        'srv1: sshd wrote "Failed password for USER from IP port NUM ssh2" 214 times in 30 s, '
        "where normal is at most 2. Check next: the addresses behind these logins, "
        "and whether any login from them succeeded (`journalctl -u ssh`, `lastb`)."
    )


def test_the_prompt_names_the_evidence_by_slots_and_is_asked_once() -> None:
    writer = Writer(GOOD)
    explainer = BuiltinExplainer(writer)
    explainer.explain(BURST)
    explainer.explain(BURST)
    assert writer.prompts == ["explain: burst app APP1 normal N1 span T1 text TEXT1 times C1"]


@pytest.mark.parametrize(
    "written",
    [
        "",
        "   ",
        "APP1",
        GOOD.replace("C1", "C2"),
        GOOD.replace("C1", "214 times"),
        GOOD.replace("C1", "N1").replace("at most N1", "at most C1"),
        GOOD.replace("TEXT1 ", ""),
        GOOD.replace("wrote", "wrotewrote"),
        GOOD.replace("APP1 wrote TEXT1", "TEXT1 wrote APP1"),
        GOOD.replace("T1,", "T1 of mallory,"),
        GOOD + " " + GOOD + " " + GOOD,
        GOOD.replace("wrote", "wrote wrote wrote wrote wrote wrote wrote"),
        "APP1 wrote TEXT1 C1 in T1. " * 20,
        "normal anomaly normal anomaly",
    ],
)
def test_a_broken_clause_makes_the_explanation_plain(written: str) -> None:
    assert BuiltinExplainer(Writer(written)).explain(BURST) == render(BURST)


def test_a_record_without_evidence_is_not_given_to_the_model() -> None:
    writer = Writer(GOOD)
    assert BuiltinExplainer(writer).explain(record()) == render(record())
    assert writer.prompts == []


def test_training_pairs_are_reproducible_and_a_longer_list_begins_with_the_shorter() -> None:
    assert training_pairs(7, 20) == training_pairs(7, 40)[:20]
    assert training_pairs(7, 20) != training_pairs(8, 20)


def test_training_pairs_cover_every_kind_and_form() -> None:
    pairs = training_pairs(1, 3000)
    for kind in EvidenceKind:
        taught = {clause for prompt, clause in pairs if prompt.startswith(kind.value.replace("_", " "))}
        assert len(taught) >= len(phrases.FORMS[kind]) / 2, kind


def test_training_texts_are_short_and_hold_only_slots_of_their_prompt() -> None:
    for prompt, clause in training_pairs(2, 600):
        assert len(clause.split()) <= MAX_WORDS
        slots = set(re.findall(r"[A-Z]+[1-9]", clause))
        assert slots <= set(SLOT_WORDS) & set(prompt.split())
        assert not re.search(r"\d", re.sub(r"[A-Z]+[1-9]", "", clause))


def test_every_taught_clause_passes_the_checks_that_the_model_must_pass() -> None:
    chance = Random(11)
    for _ in range(500):
        anomaly = samples.record(chance)
        assert faithful(plain.compose(anomaly, lambda kind, roles: _taught(chance, kind, roles)) or "", anomaly) == []
        assert case_title([anomaly])


def _taught(chance: Random, kind: EvidenceKind, roles: dict[str, str]) -> str:
    finding = Slotted.of(kind, roles)
    clause = chance.choice(finding.clauses())
    assert finding.flaws(clause) == []
    return finding.fill(clause)


def test_backend_none_renders_plainly() -> None:
    assert make_explainer(ExplanationSpec(backend="none")).explain(BURST) == render(BURST)


def test_backend_builtin_uses_the_model() -> None:
    assert make_explainer(ExplanationSpec(), model=Writer(GOOD)).explain(BURST).backend == "builtin"


def test_backend_builtin_without_a_model_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="needs a language model"):
        make_explainer(ExplanationSpec())
