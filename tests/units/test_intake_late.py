"""What the receive time of a line says of its sender's clock."""

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
