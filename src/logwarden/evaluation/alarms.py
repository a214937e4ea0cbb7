"""Score alarms against incidents, as an operator would count them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, NamedTuple

from logwarden.datasets import Incident, Recording

ANOMALOUS_SESSION = "anomalous session"
"""Kind of fault where labels are by session."""

# Alarms of one host that follow each other within this many seconds are one page to an operator.
_ONE_PAGE = 90.0


class Alarm(NamedTuple):
    """Something was reported of ``host``, about ``start`` to ``end``, decided at ``decided`` (Unix seconds).

    ``session`` is the key of the session that it is about, None where it is about none.
    """

    host: str
    start: float
    end: float
    decided: float
    session: str | None = None


ReportedAlarms = Iterable[tuple[Recording, Iterable[Alarm]]]
"""Recordings, each with what was reported of it."""


@dataclass(frozen=True, slots=True)
class IncidentMetrics:
    """What an operator gets out of the alarms.

    A fault is found when an alarm on one of its affected hosts overlaps the time from its start to its recovery; an
    anomalous session, when an alarm is about it. Alarms that match no fault are false; those of one host (or one
    session) within 90 s count as one false alarm. Precision is faults found / (faults found + false alarms).

    ``labelled`` is False where nothing is known of faults: then all that can be told is how much was reported.
    """

    faults: int
    found: int
    false_alarms: int
    days: float
    seconds_to_detection: tuple[float, ...]
    by_kind: dict[str, tuple[int, int]]
    held_out: tuple[int, int]
    labelled: bool = True

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
        """Return plain values; ``unseen_recall`` is the recall on kinds that training had none of.

        What cannot be measured without labels, or without a single fault, is None.
        """
        if not self.labelled:
            return self._unlabelled()
        found, held_out = self.held_out
        return {
            "f1": round(self.f1, 4) if self.faults else None,
            "precision": round(self.precision, 4) if self.faults else None,
            "recall": round(self.recall, 4) if self.faults else None,
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

    def _unlabelled(self) -> dict[str, Any]:
        unknown = (
            *("f1", "precision", "recall", "unseen_recall", "false_alarms_per_day", "median_seconds_to_detection"),
            *("faults", "found", "unseen_faults", "false_alarms"),
        )
        return dict.fromkeys(unknown) | {
            "note": "the data has no labels: faults found and false alarms cannot be told apart",
            "reports": self.false_alarms,
            "reports_per_day": round(self.false_alarms / self.days, 3) if self.days else None,
            "days": round(self.days, 3),
            "by_kind": {},
        }


def measure(reported: ReportedAlarms) -> IncidentMetrics:
    """Match the alarms of each recording with its faults."""
    recordings: list[Recording] = []
    false_alarms = 0
    delays: list[float] = []
    by_kind: dict[str, tuple[int, int]] = {}
    held_out = (0, 0)
    for recording, alarms in reported:
        recordings.append(recording)
        unmatched, in_sessions = _match_sessions(recording.anomalous_sessions, alarms)
        unmatched, found = _match(recording.faults, unmatched)
        false_alarms += _pages(unmatched)
        delays += in_sessions.values()
        if recording.anomalous_sessions:
            _count(by_kind, ANOMALOUS_SESSION, len(in_sessions), len(recording.anomalous_sessions))
        for fault in recording.faults:
            hit = fault.id in found
            _count(by_kind, fault.kind, hit, 1)
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
        labelled=any(recording.labelled for recording in recordings),
    )


def _count(by_kind: dict[str, tuple[int, int]], kind: str, hits: int, faults: int) -> None:
    hits_before, faults_before = by_kind.get(kind, (0, 0))
    by_kind[kind] = (hits_before + hits, faults_before + faults)


def _match_sessions(anomalous: frozenset[str], alarms: Iterable[Alarm]) -> tuple[list[Alarm], dict[str, float]]:
    """Return the alarms about other sessions, and the seconds to detection of each session found, by its key."""
    unmatched: list[Alarm] = []
    found: dict[str, float] = {}
    for alarm in alarms:
        if alarm.session is not None and alarm.session in anomalous:
            delay = alarm.decided - alarm.start
            found[alarm.session] = min(delay, found.get(alarm.session, delay))
        else:
            unmatched.append(alarm)
    return unmatched, found


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
        about = alarm.session or alarm.host
        if alarm.start - last.get(about, float("-inf")) > _ONE_PAGE:
            pages += 1
        last[about] = max(alarm.end, last.get(about, alarm.end))
    return pages
