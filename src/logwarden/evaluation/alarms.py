"""Score alarms against incidents, as an operator would count them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, NamedTuple

from logwarden.datasets import Incident, Recording

# Alarms of one host that follow each other within this many seconds are one page to an operator.
_ONE_PAGE = 90.0


class Alarm(NamedTuple):
    """Something was reported of ``host``, about ``start`` to ``end``, decided at ``decided`` (Unix seconds)."""

    host: str
    start: float
    end: float
    decided: float


@dataclass(frozen=True, slots=True)
class IncidentMetrics:
    """What an operator gets out of the alarms.

    A fault is found when an alarm on one of its affected hosts overlaps the time from its start to its recovery.
    Alarms that match no fault are false; those of one host within 90 s count as one false alarm. Precision is
    faults found / (faults found + false alarms).
    """

    faults: int
    found: int
    false_alarms: int
    days: float
    seconds_to_detection: tuple[float, ...]
    by_kind: dict[str, tuple[int, int]]
    held_out: tuple[int, int]

    @property
    def recall(self) -> float:
        """Share of the faults that were found."""
        return self.found / self.faults if self.faults else 0.0

    @property
    def precision(self) -> float:
        """Share of the reports that were faults."""
        reports = self.found + self.false_alarms
        return self.found / reports if reports else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0

    def to_json(self) -> dict[str, Any]:
        """Return plain values; ``unseen_recall`` is the recall on kinds that training had none of."""
        found, held_out = self.held_out
        return {
            "f1": round(self.f1, 4),
            "precision": round(self.precision, 4),
            "recall": round(self.recall, 4),
            "unseen_recall": round(found / held_out, 4) if held_out else None,
            "false_alarms_per_day": round(self.false_alarms / self.days, 3) if self.days else None,
            "median_seconds_to_detection": (
                round(median(self.seconds_to_detection), 1) if self.seconds_to_detection else None
            ),
            "faults": self.faults,
            "found": self.found,
            "unseen_faults": held_out,
            "false_alarms": self.false_alarms,
            "days": round(self.days, 3),
            "by_kind": {kind: {"faults": n, "found": hits} for kind, (hits, n) in sorted(self.by_kind.items())},
        }


def measure(recordings: Sequence[Recording], alarms: Mapping[str, Iterable[Alarm]]) -> IncidentMetrics:
    """Match the alarms of each recording (by its name) with its faults."""
    false_alarms = 0
    delays: list[float] = []
    by_kind: dict[str, tuple[int, int]] = {}
    held_out = (0, 0)
    for recording in recordings:
        unmatched, found = _match(recording.faults, alarms.get(recording.name, ()))
        false_alarms += _pages(unmatched)
        for fault in recording.faults:
            hit = fault.id in found
            hits, n = by_kind.get(fault.kind, (0, 0))
            by_kind[fault.kind] = (hits + hit, n + 1)
            if fault.held_out:
                held_out = (held_out[0] + hit, held_out[1] + 1)
            if hit:
                delays.append(found[fault.id])
    return IncidentMetrics(
        faults=sum(n for _, n in by_kind.values()),
        found=len(delays),
        false_alarms=false_alarms,
        days=sum(recording.days for recording in recordings),
        seconds_to_detection=tuple(delays),
        by_kind=by_kind,
        held_out=held_out,
    )


def _match(faults: Sequence[Incident], alarms: Iterable[Alarm]) -> tuple[list[Alarm], dict[str, float]]:
    """Return the alarms that match no fault, and the seconds to detection of each fault found, by its id."""
    unmatched: list[Alarm] = []
    found: dict[str, float] = {}
    for alarm in alarms:
        matching = [fault for fault in faults if fault.covers(alarm.host, alarm.start, alarm.end)]
        if not matching:
            unmatched.append(alarm)
        for fault in matching:
            delay = max(0.0, alarm.decided - fault.start)
            found[fault.id] = min(delay, found.get(fault.id, delay))
    return unmatched, found


def _pages(alarms: Iterable[Alarm]) -> int:
    """Count false alarms as an operator would be paged for them."""
    last: dict[str, float] = {}
    pages = 0
    for alarm in sorted(alarms, key=lambda alarm: alarm.start):
        if alarm.start - last.get(alarm.host, float("-inf")) > _ONE_PAGE:
            pages += 1
        last[alarm.host] = max(alarm.end, last.get(alarm.host, alarm.end))
    return pages
