"""``logwarden anomalies`` and ``logwarden explain`` on a real store."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from logwarden.api.record import Severity
from logwarden.cli.root import run
from logwarden.outcome import Outcome
from logwarden.store import Store
from tests.store.builders import case, record

HOSTILE = "sshd: \x1b[31mred\x07 [bold]x[/bold] 'quoted'"


@pytest.fixture
def path(place: str) -> str:
    with Store.open(place) as store:
        now = datetime.now(UTC)
        records = [
            record(1),
            record(2, severity=Severity.CRITICAL, host="fw-1"),
            record(3, id="now1", start=now - timedelta(minutes=5), end=now, text=HOSTILE),
        ]
        store.commit(Outcome(records=records, cases=[case(anomalies=3)]), consumer="c", positions={})
    return place


def ids(out: str) -> list[str]:
    return [json.loads(line)["id"] for line in out.splitlines()]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], ["now1", "a00000002", "a00000001"]),
        (["--limit", "1"], ["now1"]),
        (["--host", "fw-1", "--host", "none"], ["a00000002"]),
        (["--severity", "critical"], ["a00000002"]),
        (["--since", "1h"], ["now1"]),
        (["--since", "2026-03-01T12:00:02+00:00"], ["now1", "a00000002"]),
        (["--search", "bold quoted"], ["now1"]),
    ],
)
def test_filters_choose_what_is_listed(
    path: str, options: list[str], expected: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["anomalies", "--store", path, "--format", "ndjson", *options]) == 0
    assert ids(capsys.readouterr().out) == expected


def test_ndjson_is_the_whole_record(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    run(["anomalies", "--store", path, "--format", "ndjson", "--severity", "critical"])
    values = json.loads(capsys.readouterr().out)
    assert values == record(2, severity=Severity.CRITICAL, host="fw-1").to_json()


def test_the_table_shows_time_severity_host_score_reason_and_id(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["anomalies", "--store", path]) == 0
    captured = capsys.readouterr()
    line = next(line for line in captured.out.splitlines() if "a00000002" in line)
    for word in ("critical", "fw-1", "0.90", "This template was never seen"):
        assert word in line
    assert "3 of 3 anomalies" in captured.err


def test_the_store_may_be_named_by_the_environment(
    path: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOGWARDEN_STORE", path)
    assert run(["anomalies", "--format", "ndjson", "--limit", "1"]) == 0
    assert ids(capsys.readouterr().out) == ["now1"]


def test_nothing_found_is_said_and_is_no_failure(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["anomalies", "--store", path, "--search", 'zebra "(']) == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err.strip()) == ("", "No anomalies match.")


def test_explain_shows_everything_about_one_anomaly(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "now", "--store", path]) == 0
    out = capsys.readouterr().out
    for text in (
        "This template was never seen.",
        "threshold 0.50",
        "Message never seen before (novelty 1.00)",
        "Times seen: 1",
        "From netlogs/0, 3 to 3, by listener syslog-udp, first received 2026-03-01",
        "> netlogs/0 offset 3  sshd: \\x1b[31mred\\x07 [bold]x[/bold] 'quoted'",
        "r1: never-seen template in bgpd (3 anomalies",
    ):
        assert text in out
    assert "\x1b[31mred" not in out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["explain", "zzz"], 2, "no anomaly zzz in"),
        (["explain", "a0000"], 2, "several anomalies begin with a0000: a00000001, a00000002"),
        (["anomalies", "--since", "yesterday"], 2, "--since yesterday: expected a span such as 15m"),
        (["anomalies", "--since", "9999999999d"], 2, "expected a span"),
        (["anomalies", "--severity", "bad"], 2, "critical"),
        (["anomalies", "--limit", "0"], 2, "--limit"),
    ],
)
def test_mistakes_get_one_line(
    path: str, arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*arguments, "--store", path]) == code
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


def test_a_missing_store_is_named_with_what_makes_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["anomalies"], ["explain", "x"]):
        assert run([*arguments, "--store", str(tmp_path / "none.db")]) == 1
        assert f"no store at {tmp_path / 'none.db'}: `logwarden up" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
