"""Which alerts fire, by what was found and counted."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from logwarden.alerting.rules import Alert, Counts, Rules, resolved
from logwarden.api.log_pipeline import AlertsSpec
from logwarden.api.record import Case, Severity

NOW = 1_700_000_000.0
MOMENT = datetime.fromtimestamp(NOW, UTC)


def case(name: str, severity: Severity, anomalies: int = 1) -> Case:
    return Case(
        id=name, pipeline="p", start=MOMENT, end=MOMENT, hosts=["r1", "r2"], title=f"r1: {name}", severity=severity,
        anomalies=anomalies, score=0.9,
    )  # fmt: skip


def rules(**spec: object) -> Rules:
    return Rules("p", AlertsSpec.model_validate({"minimumSeverity": "warning", **spec}))


def names(alerts: list[Alert]) -> list[str]:
    return [dict(alert.labels)["alertname"] for alert in alerts]


def test_a_case_is_one_alert_until_it_is_quiet_however_many_anomalies_it_has() -> None:
    one = rules()
    one.note_cases([case("mild", Severity.INFO), case("burst", Severity.WARNING)], NOW)
    for second in range(100):
        one.note_cases([case("burst", Severity.WARNING, anomalies=second + 2)], NOW + second)
    (alert,) = one.firing(NOW + 900)
    assert alert.to_json(NOW + 960) == {
        "labels": {"alertname": "LogwardenAnomaly", "pipeline": "p", "severity": "warning", "case": "burst"},
        "annotations": {"summary": "r1: burst", "description": "101 anomalies on r1, r2"},
        "startsAt": "2023-11-14T22:13:20Z",
        "endsAt": "2023-11-14T22:29:20Z",
    }
    assert one.firing(NOW + 1000) == []
    assert resolved([alert], []) == [alert]
    assert resolved([alert], [alert]) == []


@pytest.mark.parametrize(
    ("counts", "alert"),
    [
        (Counts(stored=9990, lost=9), None),
        (Counts(stored=9990, lost=11), "LogwardenLoss"),
        (Counts(stored=1000, slow=10), None),
        (Counts(stored=1000, slow=11), "LogwardenLatency"),
        (Counts(stored=1000, rejected=1), "LogwardenFailedProcessing"),
        (Counts(stored=1000, problem="the disk is full"), "LogwardenStuck"),
    ],
)
def test_counts_of_ten_minutes_decide(counts: Counts, alert: str | None) -> None:
    one = rules()
    one.note_counts(Counts(), NOW)
    for second in (40, 80, 120):
        one.note_counts(counts, NOW + second)
    assert names(one.firing(NOW + 120)) == ([alert] if alert else [])
    calm = Counts(counts.stored, counts.rejected, counts.lost, counts.slow)
    for second in (400, 800, 1200, 1300):
        one.note_counts(calm, NOW + second)
    assert one.firing(NOW + 1300) == []


def test_trouble_that_passes_wakes_nobody() -> None:
    one = rules()
    for second, problem in ((0, ""), (15, ""), (30, "locked"), (45, ""), (60, "locked"), (75, "locked")):
        one.note_counts(Counts(problem=problem), NOW + second)
    assert one.firing(NOW + 75) == []
