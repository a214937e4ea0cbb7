"""Small records for the store's tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from logwarden.api.record import (
    AnomalyRecord,
    Case,
    Evidence,
    EvidenceKind,
    Explanation,
    LogLine,
    LogSource,
    Origin,
    Severity,
    Template,
    UnitKind,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def record(number: int, *, text: str = "", host: str = "r1", **changes: Any) -> AnomalyRecord:
    """Return a record whose time is ``number`` seconds after noon."""
    time = NOON + timedelta(seconds=number, microseconds=number % 7)
    line = text or f"bgpd[71]: %NOTIFICATION sent to neighbor 10.0.0.{number % 250} (Hold Timer Expired)"
    values: dict[str, Any] = {
        "id": f"a{number:08d}",
        "pipeline": "lab",
        "revision": "cafe",
        "unit": UnitKind.WINDOW,
        "start": time,
        "end": time + timedelta(seconds=30),
        "detected": time + timedelta(seconds=31),
        "source": LogSource(host=host, address="192.0.2.1", app="bgpd", severity=4),
        "origin": Origin(stream="netlogs/0", first=number, last=number, listener="syslog-udp", received=time),
        "lines": [LogLine(position=number, time=time, text=line, template="t1", odd=True)],
        "line_count": 1,
        "template": Template(id="t1", text="bgpd: NOTIFICATION sent to neighbor IP"),
        "score": 0.9,
        "threshold": 0.5,
        "severity": Severity.WARNING,
        "category": "never_seen_template",
        "channels": {"text": 0.8, "novelty": 1.0},
        "evidence": [Evidence(kind=EvidenceKind.NEVER_SEEN_TEMPLATE, channel="novelty", score=1.0, facts={"count": 1})],
        "explanation": Explanation(text="This template was never seen.", backend="plain", faithful=True),
        "case_id": "c1",
    }
    return AnomalyRecord(**(values | changes))


def case(case_id: str = "c1", *, anomalies: int = 1, minutes: int = 0) -> Case:
    """Return a case that ends ``minutes`` after noon."""
    return Case(
        id=case_id,
        pipeline="lab",
        start=NOON,
        end=NOON + timedelta(minutes=minutes),
        hosts=["r1"],
        title="r1: never-seen template in bgpd",
        severity=Severity.WARNING,
        anomalies=anomalies,
        score=0.9,
    )
