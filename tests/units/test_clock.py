"""The clock of a file follows the lines' stamps but no single liar."""

from __future__ import annotations

from logwarden.units.clock import StatedClock


def test_clock_moves_forward_with_the_lines() -> None:
    clock = StatedClock()
    assert [clock.place(t) for t in (1e9, 1e9 + 5, None, 1e9 + 4)] == [1e9, 1e9 + 5, 1e9 + 5, 1e9 + 5]


def test_single_stamp_hours_ahead_is_not_believed() -> None:
    clock = StatedClock()
    clock.place(1e9)
    assert clock.place(1e9 + 7200) == 1e9
    assert clock.place(1e9 + 1) == 1e9 + 1


def test_a_night_without_logs_is_believed_when_lines_agree() -> None:
    clock = StatedClock()
    clock.place(1e9)
    placed = [clock.place(1e9 + 30000 + i) for i in range(3)]
    assert placed[-1] == 1e9 + 30002


def test_next_file_may_go_back_in_time() -> None:
    clock = StatedClock()
    clock.place(1e9)
    placed = [clock.place(1e9 - 86400 + i) for i in range(4)]
    assert placed[-1] == 1e9 - 86400 + 3
