"""The channels together: how the language model weighs what the others found, and what a report changes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from logwarden.api.record import EvidenceKind
from logwarden.channels import Ensemble, NoveltyChannel, RateChannel, TextChannel
from logwarden.channels.base import Finding
from logwarden.channels.cache import ModelScores
from logwarden.channels.calibration import Tail
from logwarden.channels.ensemble import Scored
from logwarden.templates import Templates
from logwarden.units import Unit
from tests.channels.builders import unit

RELOAD = "Keepalived: Reload complete"
FAULT = "Keepalived_vrrp: (users) Entering FAULT STATE"
MARK = "-- MARK --"
FOREIGN = "kubelet: Liveness probe failed"


class Judge:
    """A language model that knows which lines are trouble."""

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.array([0.9 if FAULT in text else 0.1 for text in texts], dtype=np.float32)

    def losses(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.zeros(len(texts), dtype=np.float32)


@pytest.fixture
def templates() -> Templates:
    return Templates([RELOAD, FAULT, MARK])


def ensemble(
    templates: Templates, weights: dict[str, float], combination: str = "cubic", scores: ModelScores | None = None
) -> Ensemble:
    """Channels that know ``gw1`` to write everything and ``gw2`` to write marks, and never saw an odd unit."""
    channels = [
        TextChannel(templates, scores or ModelScores(Judge())),
        NoveltyChannel(templates),
        RateChannel(templates),
    ]
    lines = [RELOAD, FAULT, *[MARK] * 98]
    units = [unit(templates, "gw1", 30.0 * slot, [line]) for slot, line in enumerate(lines)]
    units += [unit(templates, "gw2", 30.0 * slot, [MARK]) for slot in range(100)]
    for channel in channels:
        channel.fit(units)
    tails = {kind: Tail.fit((), 100, 1.0) for kind in EvidenceKind}
    return Ensemble(channels, tails, weights, combination, 0.5)


ALL = {"text": 1.0, "novelty": 1.0, "rate": 1.0}


def new_on_host(one: Ensemble, odd: Unit) -> float:
    (surprise,) = [s for s, _, f in one.score(odd).findings if f.kind is EvidenceKind.NEVER_SEEN_ON_HOST]
    return surprise


def test_known_messages_in_a_new_place_count_as_far_as_they_read_like_trouble(templates: Templates) -> None:
    work = new_on_host(ensemble(templates, ALL), unit(templates, "gw2", 9000.0, [RELOAD]))
    fault = new_on_host(ensemble(templates, ALL), unit(templates, "gw2", 9000.0, [FAULT]))
    assert fault / work == pytest.approx(0.95 / 0.55, rel=0.01)


def test_without_the_language_model_they_count_half(templates: Templates) -> None:
    alone = {**ALL, "text": 0.0}
    work = new_on_host(ensemble(templates, alone), unit(templates, "gw2", 9000.0, [RELOAD]))
    fault = new_on_host(ensemble(templates, alone), unit(templates, "gw2", 9000.0, [FAULT]))
    assert work == fault
    assert fault / new_on_host(ensemble(templates, ALL), unit(templates, "gw2", 9000.0, [FAULT])) == pytest.approx(
        0.5 / 0.95, rel=0.01
    )


def test_what_the_model_was_not_taught_counts_in_full(templates: Templates) -> None:
    text = TextChannel(templates, ModelScores(Judge()))
    assert text.trouble(unit(templates, "gw2", 9000.0, [RELOAD, FOREIGN])) == 1.0
    assert text.trouble(unit(templates, "gw2", 9000.0, [RELOAD])) == pytest.approx(0.1)


def test_counts_of_a_session_count_in_full(templates: Templates) -> None:
    one = ensemble(templates, ALL)
    finding = Finding(EvidenceKind.NEVER_SEEN_COMBINATION, 2.0, {})
    window = unit(templates, "gw2", 9000.0, [MARK])
    whole = one._surprise(finding, replace(window, session="job 7"), one._trouble)
    assert whole == 2 * one._surprise(finding, window, one._trouble)


def test_an_anomaly_is_not_learned_and_a_normal_unit_is(templates: Templates) -> None:
    one = ensemble(templates, ALL)
    first = one.judge(unit(templates, "gw2", 9000.0, [FAULT]), threshold=0.1)
    assert first is not None
    again = one.score(unit(templates, "gw2", 9030.0, [FAULT]))
    assert again.score == pytest.approx(first.score)
    assert one.judge(unit(templates, "gw2", 9030.0, [FAULT]), threshold=0.99) is None
    learned = one.score(unit(templates, "gw2", 9060.0, [FAULT]))
    assert EvidenceKind.NEVER_SEEN_ON_HOST not in {finding.kind for _, _, finding in learned.findings}


@pytest.mark.parametrize("combination", ["cubic", "average", "maximum"])
@pytest.mark.parametrize("weight", [0.0, 0.4, 1.0])
def test_what_the_model_is_not_asked_changes_no_result(templates: Templates, combination: str, weight: float) -> None:
    weights = {**ALL, "text": weight}
    lazy, eager = (ensemble(templates, weights, combination) for _ in range(2))
    chance = random.Random(5)
    told = 0
    for slot in range(400):
        lines = chance.choices([RELOAD, FAULT, MARK, FOREIGN], [1, 1, 20, 1], k=chance.randint(1, 3))
        odd = unit(templates, chance.choice(["gw1", "gw2", "gw3"]), 9000.0 + 30.0 * slot, lines)
        threshold = chance.choice([0.0, 0.3, 0.5, 0.7])
        lazy.prepare([odd], threshold)
        found, scored = lazy.judge(odd, threshold), eager.score(odd)
        if found is not None:
            assert found.telling in [finding for _, _, finding in found.findings]
            found = found._replace(telling=scored.telling)
        assert found == (scored if scored.reaches(threshold) else None)
        told += found is not None
        (eager.reported if scored.reaches(threshold) else eager.learn)(odd)
    assert 0 < told < 400


def test_the_model_is_asked_only_where_its_answer_can_make_an_anomaly(templates: Templates) -> None:
    scores = ModelScores(Judge())
    one = ensemble(templates, {**ALL, "text": 0.1}, scores=scores)
    known, new = unit(templates, "gw1", 9000.0, [FAULT]), unit(templates, "gw2", 9000.0, [FAULT])
    for odd, asked in ((known, 0), (new, 1)):
        one.prepare([odd], 0.5)
        one.judge(odd, 0.5)
        assert scores.probabilities.scored == asked
    one.prepare([known])
    assert one.score(known).surprises["text"] > 0
    assert scores.probabilities.scored == 1  # it read this text before


def test_the_model_is_not_asked_about_an_anomaly_that_is_only_counted(templates: Templates) -> None:
    scores = ModelScores(Judge())
    one = ensemble(templates, ALL, scores=scores)
    odd = unit(templates, "gw2", 9000.0, [FAULT, RELOAD])
    known: list[Scored] = []

    def counted(scored: Scored) -> bool:
        known.append(scored)
        return True

    one.prepare([odd], 0.1, lambda unit: True)
    assert one.judge(odd, 0.1, counted) is None
    assert scores.probabilities.lookups == scores.probabilities.scored == 0
    told = one.judge(odd, 0.1, lambda scored: False)
    assert told is not None
    assert told.telling == known[0].telling == known[0].findings[0][2]
    assert told.score >= known[0].score


def test_what_is_only_counted_of_a_stranger_stays_new(templates: Templates) -> None:
    one = ensemble(templates, ALL)
    for slot in range(300):
        assert one.judge(unit(templates, "new1", 30.0 * slot, [MARK]), 0.9) is None
    odd = unit(templates, "new1", 9000.0, [FAULT])
    assert one.judge(odd, 0.1, lambda scored: True) is None
    told = one.judge(odd, 0.1)
    assert told is not None
    assert EvidenceKind.NEVER_SEEN_ON_HOST in {finding.kind for _, _, finding in told.findings}
    again = one.score(replace(odd, slot=9030.0, times=[9030.0]))
    assert EvidenceKind.NEVER_SEEN_ON_HOST not in {finding.kind for _, _, finding in again.findings}, "told once"
