"""Which alerts there are: a pure function of what was found and counted, and of the time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from logwarden.api.log_pipeline import AlertsSpec
from logwarden.api.record import Case, Severity

_WINDOW = 600.0
# A case fires for so long after its last anomaly, seconds.
_CASE_SECONDS = 900.0
# Trouble that passes by itself within this time wakes nobody, seconds.
_PROBLEM_SECONDS = 60.0
RANKS = {Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}
"""Severities in their order."""


@dataclass(frozen=True)
class Alert:
    """Something that somebody should know now.

    ``labels`` identify it: the same labels are the same alert. ``since`` is Unix seconds.
    """

    labels: tuple[tuple[str, str], ...]
    since: float
    summary: str
    description: str = ""

    def to_json(self, ends: float) -> dict[str, Any]:
        """Return the alert as version 2 of Alertmanager's API takes it; it counts as resolved from ``ends`` on."""
        annotations = {"summary": self.summary, "description": self.description}
        return {
            "labels": dict(self.labels),
            "annotations": {name: text for name, text in annotations.items() if text},
            "startsAt": moment(self.since),
            "endsAt": moment(ends),
        }


@dataclass(frozen=True)
class Counts:
    """What a detector has counted since it started, and how it is.

    Attributes
    ----------
    stored, rejected, lost
        Lines.
    slow
        Stored lines that took longer than the pipeline's ``latencySeconds``.
    problem
        Why results cannot be stored or lines not read, in words; empty if all is well.
    """

    stored: int = 0
    rejected: int = 0
    lost: int = 0
    slow: int = 0
    problem: str = ""


@dataclass
class Rules:
    """Decides which alerts fire, for one pipeline.

    A burst of anomalies is one alert, because alerts are about cases. Counts are those of the last ten minutes.
    """

    pipeline: str
    spec: AlertsSpec
    _cases: dict[str, tuple[Case, float, float]] = field(default_factory=dict)
    _counts: deque[tuple[float, Counts]] = field(default_factory=deque)
    _since: dict[str, float] = field(default_factory=dict)

    def note_cases(self, cases: Iterable[Case], now: float) -> None:
        """Take cases that began or grew."""
        least = RANKS[Severity(self.spec.minimum_severity)]
        for case in cases:
            if RANKS[case.severity] >= least:
                first = self._cases[case.id][1] if case.id in self._cases else now
                self._cases[case.id] = (case, first, now)

    def note_counts(self, counts: Counts, now: float) -> None:
        """Take the counts of now."""
        self._counts.append((now, counts))
        while len(self._counts) > 2 and self._counts[1][0] <= now - _WINDOW:
            self._counts.popleft()

    def firing(self, now: float) -> list[Alert]:
        """Return the alerts that fire at ``now`` (Unix seconds)."""
        self._cases = {key: one for key, one in self._cases.items() if now - one[2] < _CASE_SECONDS}
        return [*self._of_cases(), *self._of_counts(now)]

    def _of_cases(self) -> Iterable[Alert]:
        for case, first, _ in self._cases.values():
            labels = self._labels("LogwardenAnomaly", case.severity.value, ("case", case.id))
            count = f"{case.anomalies} anomalies" if case.anomalies > 1 else "1 anomaly"
            yield Alert(labels, first, case.title, f"{count} on {', '.join(case.hosts[:10])}")

    def _of_counts(self, now: float) -> Iterable[Alert]:
        if not self._counts:
            return
        before, last = self._counts[0][1], self._counts[-1][1]
        stored, rejected, lost = last.stored - before.stored, last.rejected - before.rejected, last.lost - before.lost
        slow, total = last.slow - before.slow, stored + rejected + lost
        percent = 100 * lost / total if total else 0.0
        found = {
            "LogwardenLoss": percent > self.spec.loss_percent and f"{lost:,} of {total:,} lines were lost unread",
            "LogwardenLatency": slow > 0.01 * stored
            and f"{slow:,} of {stored:,} lines were stored later than {self.spec.latency_seconds} s after receipt",
            "LogwardenFailedProcessing": rejected > 0 and f"{rejected:,} of {total:,} lines could not be processed",
            "LogwardenStuck": self._stuck(now) and last.problem,
        }
        for name, summary in found.items():
            if not summary:
                self._since.pop(name, None)
                continue
            since = self._since.setdefault(name, now)
            yield Alert(self._labels(name, "warning"), since, f"LogPipeline {self.pipeline}: {summary}")

    def _stuck(self, now: float) -> bool:
        recent = [counts for at, counts in self._counts if at > now - _PROBLEM_SECONDS]
        old_enough = self._counts[0][0] <= now - _PROBLEM_SECONDS
        return old_enough and bool(recent) and all(counts.problem for counts in recent)

    def _labels(self, name: str, severity: str, *more: tuple[str, str]) -> tuple[tuple[str, str], ...]:
        return (("alertname", name), ("pipeline", self.pipeline), ("severity", severity), *more)


def moment(seconds: float) -> str:
    """Return Unix seconds as RFC 3339 writes them."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def resolved(before: Sequence[Alert], firing: Sequence[Alert]) -> list[Alert]:
    """Return the alerts that fired before and do not any more."""
    labels = {alert.labels for alert in firing}
    return [alert for alert in before if alert.labels not in labels]
