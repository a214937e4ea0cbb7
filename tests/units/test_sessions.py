"""Sessions are gathered by key, whatever the hosts and the batches."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logwarden.events import Batch
from logwarden.outcome import Outcome
from logwarden.templates import Templates
from logwarden.units import Intake, Unit, UnitConfig, sessions
from logwarden.units.sessions import KeyFinder, Sessions

CONFIG = UnitConfig.session(r"job=(\w+)", idle_seconds=60)


def add(open_sessions: Sessions, key: str, time: float, position: int, host: str = "r1") -> list[Unit]:
    text = f"job={key} step" if key else "no key here"
    return open_sessions.add(host, time, position, text, template=position % 3 + 1, stated=None) or []


def key(unit: Unit) -> tuple[str | None, tuple[int, ...]]:
    return unit.session, tuple(unit.positions)


def test_lines_with_one_key_are_one_session_across_hosts() -> None:
    opened = Sessions("s", CONFIG)
    for position, (name, host) in enumerate([("a", "r1"), ("b", "r1"), ("a", "r2")]):
        add(opened, name, 100.0 + position, position, host)
    assert {key(unit): unit.host for unit in opened.finish()} == {("a", (0, 2)): "r1", ("b", (1,)): "r1"}


def test_session_closes_when_it_has_been_idle_and_its_key_opens_another() -> None:
    opened = Sessions("s", CONFIG)
    add(opened, "a", 100.0, 0)
    assert add(opened, "b", 159.0, 1) == []
    assert [key(unit) for unit in add(opened, "a", 161.0, 2)] == [("a", (0,))]
    assert [key(unit) for unit in opened.finish()] == [("b", (1,)), ("a", (2,))]


def test_clock_closes_idle_sessions_without_new_lines() -> None:
    opened = Sessions("s", CONFIG)
    add(opened, "a", 100.0, 0)
    assert opened.advance(159.0) == []
    assert [key(unit) for unit in opened.advance(160.0)] == [("a", (0,))]


def test_line_without_a_key_is_a_unit_of_its_own() -> None:
    opened = Sessions("s", CONFIG)
    assert [key(unit) for unit in add(opened, "", 100.0, 0)] == [("", (0,))]


def test_key_is_the_first_group_or_the_whole_match() -> None:
    assert KeyFinder(r"blk_-?\d+")("served blk_-42 to 10.0.0.1") == "blk_-42"
    assert KeyFinder(r"id=(\w+)|req (\d+)")("req 17") == "req 17"
    assert KeyFinder(r"id=(\w+)")("nothing") == ""


def test_too_many_sessions_close_the_one_that_is_idle_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MOST_SESSIONS", 2)
    opened = Sessions("s", CONFIG)
    for position, name in enumerate("aba"):
        assert add(opened, name, 100.0 + position, position) == []
    assert [key(unit) for unit in add(opened, "c", 103.0, 3)] == [("b", (1,))]


def test_lines_held_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MOST_LINES", 4)
    monkeypatch.setattr(sessions, "LONGEST_SESSION", 3)
    opened = Sessions("s", CONFIG)
    closed = [add(opened, name, 100.0 + i, i) for i, name in enumerate("aaabbcde")]
    assert [key(unit) for units in closed for unit in units] == [("a", (0, 1, 2)), ("b", (3, 4))]


def test_sessions_are_compared_by_the_count_of_each_template() -> None:
    once, twice = (Unit("r1", "s", 0.0, templates=templates, session="a") for templates in ([5, 7], [7, 5, 5]))
    assert once.combination == (5, 1, 7, 1)
    assert twice.combination == (5, 2, 7, 1)
    thousand, more = (Unit("r1", "s", 0.0, templates=[5] * n, session="a") for n in (1000, 1001))
    assert thousand.combination == more.combination


steps = st.lists(st.tuples(st.sampled_from(["a", "b", "c", "d", ""]), st.floats(0, 40)), min_size=1, max_size=80)


def run(lines: list[tuple[str, float]], restart_at: int | None = None) -> list[tuple[str | None, tuple[int, ...]]]:
    opened, now, out = Sessions("s", CONFIG), 1000.0, []
    for i, (name, step) in enumerate(lines):
        if i == restart_at:
            state = json.loads(json.dumps(opened.to_state()))
            opened = Sessions("s", CONFIG)
            opened.restore(state)
        now += step
        out += add(opened, name, now, i)
    return [key(unit) for unit in [*out, *opened.finish()]]


@given(steps, st.integers(0, 79))
def test_state_goes_on_as_if_nothing_had_happened(lines: list[tuple[str, float]], cut: int) -> None:
    assert run(lines, cut) == run(lines)


@given(steps)
def test_every_line_is_in_exactly_one_session_of_its_key(lines: list[tuple[str, float]]) -> None:
    found = run(lines)
    assert sorted(position for _, positions in found for position in positions) == list(range(len(lines)))
    assert all({lines[position][0] for position in positions} == {name} for name, positions in found)


@given(steps)
def test_no_session_has_a_gap_as_long_as_the_idle_time(lines: list[tuple[str, float]]) -> None:
    times, now = [], 1000.0
    for _, step in lines:
        now += step
        times.append(now)
    for _, positions in run(lines):
        assert all(times[b] - times[a] < 60 for a, b in pairwise(positions))


def batches(count: int, size: int) -> list[Batch]:
    lines = [
        f"<13>Oct 11 22:{i // 60:02}:{i % 60:02} r1 worker: job=j{i * 7 % 9} did step {i % 4}" for i in range(count)
    ]
    return [Batch("s", range(i, min(i + size, count)), lines[i : i + size]) for i in range(0, count, size)]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_batches_make_no_difference(size: int) -> None:
    def units(of: int) -> list[tuple[str | None, tuple[int, ...]]]:
        intake = Intake(Templates(), CONFIG, lambda host, gap: 0.0)
        return [key(unit) for unit in intake.units(batches(300, of))]

    assert units(size) == units(300)


def test_open_lines_survive_a_change_of_the_unit_kind() -> None:
    def templates() -> Templates:
        return Templates()

    for before, after in ((UnitConfig(), CONFIG), (CONFIG, UnitConfig())):
        old = Intake(templates(), before, lambda host, gap: 0.0)
        first, second = batches(40, 20)
        closed = old.process(first, Outcome())
        new = Intake(templates(), after, lambda host, gap: 0.0)
        new.restore(json.loads(json.dumps(old.to_state())))
        closed += new.process(second, Outcome())
        closed += new.finish()
        assert sorted(position for unit in closed for position in unit.positions) == list(range(40))


def test_every_line_is_a_unit_with_kind_line() -> None:
    intake = Intake(Templates(), UnitConfig.line(), lambda host, gap: 0.0)
    units = intake.units(batches(50, 8))
    assert [unit.positions for unit in units] == [[i] for i in range(50)]


def test_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="unit kind 'trace', expected one of line, window, session, flow"):
        UnitConfig("trace")
