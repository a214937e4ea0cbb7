"""The text channel and its cache, with the packaged language model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from logwarden.api.record import EvidenceKind
from logwarden.channels import TextChannel
from logwarden.channels.cache import ModelScores, ScoreCache
from logwarden.channels.text import unit_text
from logwarden.detect.model import LANGUAGE_FOLDER
from logwarden.language import LanguageModel
from logwarden.revisions import open_revision
from logwarden.templates import Templates
from tests.channels.builders import unit

LOGIN = "sshd: Accepted publickey for USER from IP port NUM"
LEASE = "dnsmasq-dhcp: DHCPACK(IFACE) IP MAC"
FAILED = "sshd: Failed password for invalid user USER from IP port NUM"
FOREIGN = "kubelet: Liveness probe failed"


class Counting:
    """Scores a text by its length, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.asked.append(list(texts))
        return np.array([len(text) for text in texts], dtype=np.float32)


@pytest.fixture(scope="module")
def language() -> LanguageModel:
    return LanguageModel.load(open_revision("builtin").path / LANGUAGE_FOLDER)


@pytest.fixture
def templates() -> Templates:
    return Templates([LOGIN, LEASE])


@pytest.fixture
def channel(templates: Templates, language: LanguageModel) -> TextChannel:
    fitted = TextChannel(templates, ModelScores(language))
    fitted.fit([unit(templates, "srv1", 30.0 * slot, [LOGIN, LEASE]) for slot in range(20)])
    return fitted


def test_a_text_is_scored_once() -> None:
    score = Counting()
    cache = ScoreCache(score)
    cache.prepare(["a", "bb", "a"])
    assert (cache["a"], cache["bb"], cache["a"]) == (1.0, 2.0, 1.0)
    assert score.asked == [["a", "bb"]]
    assert (cache.lookups, cache.scored) == (3, 2)


def test_a_full_cache_drops_the_least_recently_used_and_asks_again() -> None:
    score = Counting()
    cache = ScoreCache(score, size=2)
    cache.prepare(["a", "bb"])
    assert cache["a"] == 1.0
    cache.prepare(["ccc"])
    assert (cache["a"], cache["ccc"], cache["bb"]) == (1.0, 3.0, 2.0)
    assert score.asked == [["a", "bb"], ["ccc"], ["bb"]]


def test_more_texts_at_once_than_the_cache_holds_are_all_scored() -> None:
    cache = ScoreCache(Counting(), size=2)
    texts = ["a" * length for length in range(1, 8)]
    cache.prepare(texts)
    assert [cache[text] for text in texts] == [1, 2, 3, 4, 5, 6, 7]


def test_a_unit_is_read_from_its_rarest_line_to_its_most_frequent() -> None:
    texts = {1: "cron: job", 2: "sshd: failed", 3: "app: panic"}
    assert unit_text(Counter([2, 2, 2, 1, 2, 2, 3]), texts.__getitem__) == (
        [3, 1, 2],
        "app: panic | cron: job | 4x sshd: failed",
    )


def test_usual_lines_are_not_given_to_the_model(channel: TextChannel, templates: Templates) -> None:
    usual = unit(templates, "srv1", 900.0, [LOGIN, LEASE])
    channel.prepare([usual])
    assert not [finding for finding in channel.read(usual) if finding.kind is EvidenceKind.MODEL_VERDICT]


def test_a_verdict_names_the_rarest_line_and_counts_the_others(channel: TextChannel, templates: Templates) -> None:
    odd = unit(templates, "srv1", 900.0, [LOGIN, *[FAILED] * 9, "sshd: fatal: Timeout before authentication for IP"])
    channel.prepare([odd])
    (verdict,) = [finding for finding in channel.read(odd) if finding.kind is EvidenceKind.MODEL_VERDICT]
    assert verdict.facts["template"] == "sshd: fatal: Timeout before authentication for IP"
    assert verdict.facts["other_messages"] == 1
    assert 0.02 < float(verdict.facts["probability"]) <= 1


def test_the_model_does_not_judge_programs_it_was_not_taught(channel: TextChannel, templates: Templates) -> None:
    foreign = unit(templates, "srv1", 900.0, [FOREIGN])
    channel.prepare([foreign])
    assert channel.read(foreign) == []


def test_reading_does_not_depend_on_what_was_prepared(channel: TextChannel, templates: Templates) -> None:
    odd = unit(templates, "srv1", 900.0, [FAILED] * 9)
    unprepared = channel.read(odd)
    channel.prepare([odd])
    assert channel.read(odd) == unprepared


def test_what_was_fitted_survives_json(channel: TextChannel, templates: Templates, language: LanguageModel) -> None:
    odd = unit(templates, "srv1", 900.0, [LOGIN, *[FAILED] * 9])
    again = TextChannel.from_json(channel.to_json(), templates, ModelScores(language))
    assert [f.facts for f in again.read(odd)] == [f.facts for f in channel.read(odd)]
    assert again.to_json() == channel.to_json()


def test_what_training_found_ordinary_is_not_asked_again(
    channel: TextChannel, templates: Templates, language: LanguageModel
) -> None:
    losses = dict(zip((LOGIN, LEASE), language.losses([LOGIN, LEASE]), strict=True))
    scores = ModelScores(language)
    served = TextChannel.from_json(channel.to_json(), templates, scores)
    usual = unit(templates, "srv1", 900.0, [min(losses, key=losses.__getitem__)] * 2)
    served.prepare([usual])
    assert served.read(usual) == channel.read(usual) == []
    assert (scores.losses.scored, scores.losses.lookups) == (0, 1)


def test_texts_that_differ_only_behind_the_cut_are_read_once(
    language: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = " | ".join(f"{count}x {FAILED}" for count in (2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048))
    first = language.probabilities([f"{long} | one", LOGIN, f"{long} | another"])
    assert first[0] == first[2] != first[1]
    monkeypatch.setattr(language, "_network", None)  # whoever reads now fails
    assert language.probabilities([f"{long} | a third"]) == first[:1]
