"""What is kept of how a line was received."""

from __future__ import annotations

import pytest

from logwarden.events import Batch
from logwarden.outcome import Outcome
from logwarden.templates import Templates
from logwarden.units import Intake, UnitConfig

RECEIVED = 1_772_366_400.0  # 2026-03-01 12:00:00 UTC
LINES = ["<38>Mar  1 08:00:00 srv1 sshd[7]: error", "<38>Mar  1 11:59:58 srv1 sshd[7]: error"]


@pytest.mark.parametrize(("late", "offset"), [(False, -2.0), (True, None)])
def test_lines_that_may_be_late_say_nothing_of_a_clock(late: bool, offset: float | None) -> None:
    intake = Intake(Templates(), UnitConfig(lines=2, seconds=30), lambda host, gap: 0.0)
    batch = Batch("s", [0, 1], LINES, [RECEIVED] * 2, listener="http", late=late)
    (unit,) = intake.process(batch, Outcome())
    assert unit.clock_offset == offset
    assert unit.times == [RECEIVED] * 2


@pytest.mark.parametrize("days", [5, 300])
def test_the_age_of_a_recording_is_no_offset_of_its_senders_clocks(days: int) -> None:
    intake = Intake(Templates(), UnitConfig(lines=2, seconds=30), lambda host, gap: 0.0)
    shift = days * 86400.0
    (unit,) = intake.process(Batch("s", [0, 1], LINES, [RECEIVED + shift] * 2, shift=shift), Outcome())
    assert unit.clock_offset == -2.0
    assert unit.times == [RECEIVED + shift] * 2


def test_the_listener_of_a_host_is_the_one_that_received_its_lines() -> None:
    intake = Intake(Templates(), UnitConfig(lines=2, seconds=30), lambda host, gap: 0.0)
    intake.process(Batch("s", [0], LINES[1:], [RECEIVED], ["10.0.0.1"], listener="udp"), Outcome())
    other = LINES[1].replace("srv1", "srv2")
    intake.process(Batch("s", [1], [other], [RECEIVED], ["10.0.0.2"], listener="http"), Outcome())
    restored = Intake(Templates(), UnitConfig(lines=2, seconds=30), lambda host, gap: 0.0)
    restored.restore(intake.to_state())
    assert restored.streams["s"].listeners == {"srv1": "udp", "srv2": "http"}
