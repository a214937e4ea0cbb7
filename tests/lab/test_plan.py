"""What happens when depends on the seed alone."""

import random
from itertools import islice
from pathlib import Path

import pytest

from lab.events import FAULTS, HELD_OUT_KINDS, KINDS, MAINTENANCE
from lab.plan import QUIET_SECONDS, SHORTEST_GAP, chosen_kinds, deck, first_hour, quiet_seconds, steps


def test_a_seed_gives_the_same_plan_again() -> None:
    assert list(islice(steps(7, FAULTS, 18), 40)) == list(islice(steps(7, FAULTS, 18), 40))
    assert first_hour(7) == first_hour(7)


def test_seeds_give_different_plans() -> None:
    assert list(islice(steps(7, FAULTS, 18), 10)) != list(islice(steps(8, FAULTS, 18), 10))


def test_a_recording_begins_quietly_and_faults_keep_their_distance() -> None:
    plan = list(islice(steps(3, FAULTS, 18), 200))
    assert plan[0].gap >= QUIET_SECONDS
    assert all(s.gap >= SHORTEST_GAP for s in plan[1:] if KINDS[s.kind].type == "fault")


def test_durations_are_those_of_the_kind() -> None:
    for step in islice(steps(5, FAULTS, 18), 200):
        shortest, longest = KINDS[step.kind].seconds
        assert shortest <= step.seconds <= longest


def test_every_kind_comes_before_any_comes_again() -> None:
    plan = (step.kind for step in steps(1, FAULTS, 18) if KINDS[step.kind].type == "fault")
    assert sorted(islice(plan, len(FAULTS))) == sorted(FAULTS)


def test_no_faults_leaves_only_maintenance() -> None:
    assert {step.kind for step in islice(steps(1, FAULTS, 0), 60)} == set(MAINTENANCE)


def test_a_short_recording_is_not_all_quiet() -> None:
    assert quiet_seconds(24 * 60) == QUIET_SECONDS
    assert quiet_seconds(3 * 60) == 30


def test_held_out_kinds_exist_and_can_be_left_out() -> None:
    assert set(FAULTS) >= HELD_OUT_KINDS
    assert not HELD_OUT_KINDS & set(chosen_kinds(without_held_out=True))


def test_kinds_can_be_chosen_and_excluded() -> None:
    assert chosen_kinds(("port_scan", "link_flap")) == ("link_flap", "port_scan")
    assert "link_flap" not in chosen_kinds(exclude=("link_flap",))


def test_an_unknown_kind_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="no such kind of fault: link_flop"):
        chosen_kinds(("link_flop",))


def test_no_kind_left_is_refused() -> None:
    with pytest.raises(ValueError, match="no kind"):
        chosen_kinds(("vrrp_split",), without_held_out=True)


def test_a_deck_deals_every_card_in_each_round() -> None:
    cards = list(islice(deck(random.Random(1), ("a", "b", "c")), 9))
    assert [sorted(cards[i : i + 3]) for i in (0, 3, 6)] == [["a", "b", "c"]] * 3


def test_there_are_many_kinds_and_each_says_what_it_does_and_shows() -> None:
    assert len(FAULTS) >= 22
    assert all(kind.injects and kind.shows for kind in KINDS.values())


def test_the_readme_has_every_kind() -> None:
    text = (Path(__file__).parents[2] / "lab" / "README.md").read_text()
    assert [name for name in KINDS if f"`{name}`" not in text] == []
