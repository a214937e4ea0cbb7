"""Records for the tests of explanations."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from logwarden.api.record import (
    AnomalyRecord,
    Evidence,
    EvidenceKind,
    LogLine,
    LogSource,
    Origin,
    Severity,
    Template,
    UnitKind,
)

START = datetime(2026, 11, 22, 20, 1, 0, tzinfo=UTC)
END = datetime(2026, 11, 22, 20, 1, 30, tzinfo=UTC)
FAILED = "sshd: Failed password for USER from IP port NUM ssh2"


def evidence(kind: str, score: float = 0.9, **facts: str | int | float) -> Evidence:
    """One piece of evidence."""
    return Evidence(kind=EvidenceKind(kind), channel="rate", score=score, facts=facts)


def burst(**facts: str | int | float) -> Evidence:
    """The burst of failed logins that most tests use."""
    known = {"template": FAILED, "app": "sshd", "host": "srv1", "count": 214, "seconds": 30, "normal_count": 2}
    return evidence("burst", **{**known, **facts})


def record(*pieces: Evidence, raw: tuple[str, ...] = (), **changes: Any) -> AnomalyRecord:
    """A record of host srv1 with this evidence; ``host``, ``app``, ``address``, ``template`` and fields can change."""
    source = LogSource(
        host=changes.pop("host", "srv1"), app=changes.pop("app", "sshd"), address=changes.pop("address", None)
    )
    fields: dict[str, Any] = {
        "id": "0123456789ab", "pipeline": "lab", "revision": "r", "unit": UnitKind.WINDOW, "start": START, "end": END,
        "detected": END, "line_count": 214, "score": 0.93, "threshold": 0.5, "severity": Severity.CRITICAL,
        "category": "burst", "channels": {"rate": 0.9},
    }  # fmt: skip
    fields["template"] = Template(id="t", text=changes.pop("template", FAILED))
    lines = [LogLine(position=index, text=text) for index, text in enumerate(raw)]
    origin = Origin(stream="file:auth.log", first=1, last=214)
    return AnomalyRecord(
        **{**fields, "source": source, "lines": lines, "origin": origin, "evidence": list(pieces), **changes}
    )
