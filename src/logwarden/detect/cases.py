"""Cases: anomalies that belong together, and repeats that need not be told again."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from math import inf
from typing import Any

from logwarden.api.record import AnomalyRecord, Case, Severity
from logwarden.channels.ensemble import Scored
from logwarden.explain import case_title
from logwarden.units import Unit

# Seconds without a new anomaly after which a case is over, for its own hosts and for others.
_SAME_HOST = 90.0
_OTHER_HOST = 30.0
# Seconds within which the same anomaly of the same host is counted rather than recorded again, and the longest time
# that one is only counted.
_REPEAT = 60.0
_TELL_AGAIN = 300.0
_ORDER = (Severity.INFO, Severity.WARNING, Severity.CRITICAL)


@dataclass(slots=True)
class _OpenCase:
    id: str
    start: float
    end: float
    score: float
    severity: str
    title: str
    hosts: list[str] = field(default_factory=list)
    apps: list[str] = field(default_factory=list)
    anomalies: int = 0
    suppressed: int = 0
    # When an anomaly of each signature was last told and when it last came, Unix seconds.
    told: dict[str, tuple[float, float]] = field(default_factory=dict)


class CaseBook:
    """The open cases of one pipeline."""

    def __init__(self, pipeline: str) -> None:
        self._pipeline = pipeline
        self._open: list[_OpenCase] = []

    def repeat(self, scored: Scored) -> Case | None:
        """Count an anomaly that was just told of the same host in its case; None when it has to be told."""
        unit, key = scored.unit, _signature(scored)
        for case in self._open:
            told, last = case.told.get(key, (-inf, -inf))
            if abs(unit.end - last) < _REPEAT and abs(unit.end - told) < _TELL_AGAIN:
                case.told[key] = (told, unit.end)
                case.start, case.end = min(case.start, unit.start), max(case.end, unit.end)
                case.score = max(case.score, scored.score)
                case.suppressed += 1
                return self._case(case)
        return None

    def may_count(self, unit: Unit) -> bool:
        """Whether an anomaly of a unit's host was told a moment ago, so that the next is likely to be only counted."""
        return any(unit.host in case.hosts and abs(unit.end - case.end) < _REPEAT for case in self._open)

    def file(self, record: AnomalyRecord, scored: Scored) -> tuple[AnomalyRecord, Case]:
        """Put a record into its case; return the record with its case id, and the case as it is now."""
        start, end = scored.unit.start, scored.unit.end
        self._open = [case for case in self._open if _gap(start, end, case) <= _SAME_HOST]
        case = next((case for case in self._open if _belongs(record, start, end, case)), None)
        if case is None:
            case = self._new(record, start, end)
        case.start, case.end = min(case.start, start), max(case.end, end)
        if record.score > case.score:
            case.score, case.title = record.score, case_title([record])
        case.severity = max(Severity(case.severity), record.severity, key=_ORDER.index).value
        for known, new in ((case.hosts, record.source.host), (case.apps, record.source.app or "")):
            if new not in known:
                known.append(new)
        case.told[_signature(scored)] = (end, end)
        case.anomalies += 1
        return record.model_copy(update={"case_id": case.id}), self._case(case)

    def _new(self, record: AnomalyRecord, start: float, end: float) -> _OpenCase:
        digest = blake2b(f"case {record.id}".encode(), digest_size=8).hexdigest()
        case = _OpenCase(digest, start, end, record.score, record.severity.value, case_title([record]))
        self._open.append(case)
        return case

    def _case(self, case: _OpenCase) -> Case:
        others = len(case.hosts) - 1
        suffix = f" (and {others} more host{'s' if others > 1 else ''})" if others else ""
        return Case(
            id=case.id,
            pipeline=self._pipeline,
            start=datetime.fromtimestamp(case.start, UTC),
            end=datetime.fromtimestamp(case.end, UTC),
            hosts=case.hosts,
            title=case.title + suffix,
            severity=Severity(case.severity),
            anomalies=case.anomalies,
            suppressed=case.suppressed,
            score=case.score,
        )

    def to_state(self) -> list[dict[str, Any]]:
        """Return the open cases as plain values."""
        return [asdict(case) for case in self._open]

    @classmethod
    def from_state(cls, pipeline: str, state: list[dict[str, Any]]) -> CaseBook:
        """Go on from :meth:`to_state`."""
        book = cls(pipeline)
        book._open = [_OpenCase(**{**case, "told": {k: tuple(v) for k, v in case["told"].items()}}) for case in state]
        return book


def _signature(scored: Scored) -> str:
    """What makes an anomaly the same as another: the host or session, and its most telling finding."""
    finding = scored.telling
    assert finding is not None  # an anomaly has findings
    return f"{scored.unit.session or scored.unit.host} {finding.kind.value} {finding.template}"


def _gap(start: float, end: float, case: _OpenCase) -> float:
    """Seconds between a case and something before or after it; negative where they overlap."""
    return max(start - case.end, case.start - end)


def _belongs(record: AnomalyRecord, start: float, end: float, case: _OpenCase) -> bool:
    """Same host and close in time; or another host at nearly the same time with the same program."""
    gap = _gap(start, end, case)
    if record.source.host in case.hosts:
        return gap <= _SAME_HOST
    return gap <= _OTHER_HOST and (record.source.app or "") in case.apps
