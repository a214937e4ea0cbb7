"""Windows are cut by host and clock, whatever the batches."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from logwarden.units import Unit, UnitConfig
from logwarden.units.windows import Windows

CONFIG = UnitConfig(lines=4, seconds=30)


def never(host: str, gap: float) -> float:
    return 0.0


def add(windows: Windows, host: str, time: float, position: int) -> list[Unit]:
    return windows.add(host, time, position, f"line {position}", template=position % 3 + 1, stated=None) or []


def key(unit: Unit) -> tuple[str, tuple[int, ...], float | None]:
    return unit.host, tuple(unit.positions), unit.silent_until


def test_full_window_closes_at_once_and_the_next_line_opens_another() -> None:
    windows = Windows("s", CONFIG, never)
    closed = [unit for i in range(5) for unit in add(windows, "r1", 100.0 + i, i)]
    assert [unit.positions for unit in closed] == [[0, 1, 2, 3]]
    assert [unit.positions for unit in windows.finish()] == [[4]]


def test_window_closes_when_another_host_moves_the_clock_past_its_slot() -> None:
    windows = Windows("s", CONFIG, never)
    assert add(windows, "r1", 95.0, 0) == []
    closed = add(windows, "r2", 121.0, 1)
    assert [key(unit) for unit in closed] == [("r1", (0,), None)]
    assert closed[0].slot == 90.0


def test_clock_tick_closes_windows_without_new_lines() -> None:
    windows = Windows("s", CONFIG, never)
    add(windows, "r1", 95.0, 0)
    assert windows.advance(119.0) == []
    assert [unit.host for unit in windows.advance(120.5)] == ["r1"]


def test_late_line_joins_the_open_window_of_its_host() -> None:
    windows = Windows("s", CONFIG, never)
    add(windows, "r1", 95.0, 0)
    add(windows, "r1", 60.0, 1)
    assert [unit.positions for unit in windows.finish()] == [[0, 1]]


def test_silent_host_gives_a_unit_at_each_slot_end_until_it_counts_as_gone() -> None:
    windows = Windows("s", CONFIG, lambda host, gap: gap / 40 if host == "r1" else 0.0)
    add(windows, "r1", 100.0, 7)
    silent = []
    for i, now in enumerate(range(110, 600, 10)):
        silent += [unit for unit in add(windows, "r2", float(now), i) if unit.silent_since is not None]
    assert {unit.host for unit in silent} == {"r1"}
    assert silent[0].silent_until == 150.0
    assert silent[0].positions == [7]
    assert silent[-1].silent_until == 390.0  # 8 times its longest normal silence is past 420


def test_nobody_is_silent_when_the_whole_stream_paused() -> None:
    windows = Windows("s", CONFIG, lambda host, gap: gap / 40)
    add(windows, "r1", 100.0, 0)
    closed = add(windows, "r2", 5000.0, 1)
    assert [unit.silent_since for unit in closed] == [None]


lines = st.lists(st.tuples(st.sampled_from(["r1", "r2", "r3"]), st.floats(0, 12)), min_size=1, max_size=80)


@given(lines, st.integers(0, 79))
def test_state_goes_on_as_if_nothing_had_happened(steps: list[tuple[str, float]], cut: int) -> None:
    def run(restart_at: int | None) -> list[tuple[str, tuple[int, ...], float | None]]:
        windows = Windows("s", CONFIG, lambda host, gap: gap / 40)
        now, out = 1000.0, []
        for i, (host, step) in enumerate(steps):
            if i == restart_at:
                state = json.loads(json.dumps(windows.to_state()))
                windows = Windows("s", CONFIG, lambda host, gap: gap / 40)
                windows.restore(state)
            now += step
            out += add(windows, host, now, i)
        return [key(unit) for unit in [*out, *windows.finish()]]

    assert run(cut) == run(None)


@given(lines)
def test_every_line_is_in_exactly_one_unit(steps: list[tuple[str, float]]) -> None:
    windows = Windows("s", CONFIG, never)
    now, units = 0.0, []
    for i, (host, step) in enumerate(steps):
        now += step
        units += add(windows, host, now, i)
    units += windows.finish()
    assert sorted(p for unit in units for p in unit.positions) == list(range(len(steps)))
    for unit in units:
        assert len(unit.texts) <= CONFIG.lines
        assert {steps[p][0] for p in unit.positions} == {unit.host}
