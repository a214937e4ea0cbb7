"""The packaged model's text is used when it is sound and faithful, and never otherwise."""

from __future__ import annotations

import re
from random import Random

import pytest

from logwarden.api.anomaly_model import ExplanationSpec
from logwarden.api.record import EvidenceKind
from logwarden.errors import InvalidInputError
from logwarden.explain import case_title, faithful, grammar, make_explainer, render, samples, training_pairs
from logwarden.explain.builtin import BuiltinExplainer
from logwarden.explain.delexical import SLOT, delexicalise
from tests.explain.records import FAILED, burst, evidence, record

BURST = record(burst())
GOOD = (
    "On HOST1, APP1 wrote TEXT1 C1 in T1, where normal is at most N1. "
    "Check next: the addresses behind these logins, and whether any login from them succeeded (CMD1)."
)


class Writer:
    """Writes what it was given: stands in for the weights, which are trained elsewhere."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.prompts: list[str] = []

    def generate(self, prompt: str, max_tokens: int) -> str:
        """Return the text."""
        self.prompts.append(prompt)
        return self.text


def test_a_sound_sentence_gets_its_values_back() -> None:
    explanation = BuiltinExplainer(Writer(GOOD)).explain(BURST)
    assert explanation.backend == "builtin"
    assert explanation.faithful
    assert explanation.text == (
        'On srv1, sshd wrote "Failed password for USER from IP port NUM ssh2" 214 times in 30 s, '
        "where normal is at most 2. Check next: the addresses behind these logins, "
        "and whether any login from them succeeded (`journalctl -u ssh`, `lastb`)."
    )


def test_the_prompt_names_the_evidence_by_slots_and_shows_the_text() -> None:
    writer = Writer(GOOD)
    BuiltinExplainer(writer).explain(BURST)
    expected = (
        "explain: HOST1 about sshd-auth CMD1 | burst app APP1 text TEXT1 times C1 span T1 normal N1 | "
        "sshd: Failed password for USER from IP port NUM ssh2"
    )
    assert writer.prompts == [expected]


@pytest.mark.parametrize(
    "written",
    [
        "",
        "   ",
        "HOST1",
        GOOD.removesuffix("."),
        GOOD.replace("C1", "C2"),
        GOOD.replace("C1", "214 times"),
        GOOD.replace("C1", "N1").replace("at most N1", "at most C1"),
        GOOD.replace("TEXT1 ", ""),
        GOOD.replace("On HOST1, ", ""),
        GOOD.replace("wrote", "wrotewrote"),
        GOOD.replace("APP1 wrote TEXT1", "TEXT1 wrote APP1"),
        GOOD.replace("logins", "logins of mallory"),
        GOOD + " " + GOOD,
        GOOD.replace("wrote", "wrote wrote wrote wrote wrote wrote wrote"),
        "On HOST1, " + "APP1 wrote TEXT1 C1 in T1. " * 20,
        "normal anomaly normal anomaly",
    ],
)
def test_a_broken_sentence_is_replaced_by_the_plain_rendering(written: str) -> None:
    assert BuiltinExplainer(Writer(written)).explain(BURST) == render(BURST)


def test_a_record_without_evidence_is_not_given_to_the_model() -> None:
    writer = Writer(GOOD)
    assert BuiltinExplainer(writer).explain(record()) == render(record())
    assert writer.prompts == []


def test_training_pairs_are_reproducible_and_a_longer_list_begins_with_the_shorter() -> None:
    assert training_pairs(7, 20) == training_pairs(7, 40)[:20]
    assert training_pairs(7, 20) != training_pairs(8, 20)


def test_training_pairs_cover_every_kind_alone_and_in_company() -> None:
    pairs = training_pairs(1, 600)
    assert len(set(pairs)) > 500
    kinds = [kind.value.replace("_", " ") for kind in EvidenceKind]
    for kind in kinds:
        parts = [prompt.count(" | ") for prompt, _ in pairs if f"| {kind}" in prompt]
        assert min(parts) == 2, kind
        assert max(parts) >= 3, kind


def test_training_texts_are_short_and_hold_only_slots_of_their_prompt() -> None:
    for prompt, target in training_pairs(2, 600):
        assert prompt.startswith("HOST1 about ")
        assert len(target.split()) <= grammar.MAX_WORDS
        assert set(SLOT.findall(target)) <= set(SLOT.findall(prompt))
        assert not re.search(r"\d", SLOT.sub("", target))


def test_every_taught_text_passes_the_checks_that_the_model_must_pass() -> None:
    chance = Random(11)
    repeated = 0
    for _ in range(500):
        anomaly = samples.record(chance)
        coded = delexicalise(anomaly)
        assert coded is not None
        taught = grammar.sentence(coded, chance)
        assert faithful(coded.fill(taught), anomaly) == []
        flaws = grammar.flaws(taught, coded)
        repeated += flaws == ["the text repeats itself"]
        assert flaws in ([], ["the text repeats itself"])
        assert case_title([anomaly])
    assert repeated <= 5


def test_two_hosts_and_a_repeated_text_get_their_own_slots() -> None:
    other = evidence("never_seen_on_host", 0.8, template=FAILED, app="sshd", host="srv2", other_hosts=3)
    coded = delexicalise(record(burst(), other))
    assert coded is not None
    assert coded.values["HOST2"] == "srv2"
    text = coded.fill(grammar.sentence(coded, Random(1)))
    assert "(on srv2)" in text
    assert text.count("Failed password") == 1


def test_backend_none_renders_plainly() -> None:
    assert make_explainer(ExplanationSpec(backend="none")).explain(BURST) == render(BURST)


def test_backend_builtin_uses_the_model() -> None:
    assert make_explainer(ExplanationSpec(), model=Writer(GOOD)).explain(BURST).backend == "builtin"


def test_backend_builtin_without_a_model_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="needs a language model"):
        make_explainer(ExplanationSpec())
