"""What a detector hands to a store in one step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from logwarden.api.record import AnomalyRecord, Case


class RejectedLine(NamedTuple):
    """A line that could not be processed: kept with its origin and the reason, never dropped.

    ``received`` is Unix seconds or None; ``text`` is cut to 8 KiB. ``stage`` is where it failed: ``read`` (it could not
    be taken apart) or ``parse``.
    """

    stream: str
    position: int
    received: float | None
    peer: str | None
    reason: str
    text: str
    stage: str = "parse"


class Activity(NamedTuple):
    """How many lines a host sent in one interval of :data:`ACTIVITY_SECONDS` that starts at ``start`` (Unix s)."""

    start: int
    host: str
    lines: int


ACTIVITY_SECONDS = 10


@dataclass(slots=True)
class Outcome:
    """Results of a detection step.

    ``cases`` holds the whole current form of each case that changed: the store replaces it by id. ``activity`` holds
    increments. ``lines``, ``units`` count what was processed in this step.
    """

    records: list[AnomalyRecord] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)
    rejected: list[RejectedLine] = field(default_factory=list)
    activity: list[Activity] = field(default_factory=list)
    lines: int = 0
    units: int = 0

    def extend(self, other: Outcome) -> None:
        """Add another step's results to this one."""
        self.records += other.records
        self.cases += other.cases
        self.rejected += other.rejected
        self.activity += other.activity
        self.lines += other.lines
        self.units += other.units
