"""``logwarden detect`` and ``logwarden evaluate`` as a script would call them."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from logwarden.store import Store

ROOT = Path(__file__).resolve().parents[2]
RECORDING = ROOT / "lab" / "recordings" / "test-13"
# One fault more or less of the 108 in the test part moves F1 by half a point; being better means more than that.
MARGIN = 0.02


def logwarden(*args: object, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "logwarden", *map(str, args)]
    return subprocess.run(command, input=stdin, capture_output=True, check=False, cwd=ROOT)


def read_records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def raw_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recording's lines as a plain file, as a device's own log would be."""
    path = tmp_path_factory.mktemp("logs") / "network.log"
    lines = gzip.decompress((RECORDING / "lines.log.gz").read_bytes()).splitlines(keepends=True)
    path.write_bytes(b"".join(line.split(b"\t", 3)[3] for line in lines))
    return path


def test_records_and_summary_are_written(tmp_path: Path) -> None:
    output, summary = tmp_path / "anomalies.ndjson", tmp_path / "summary.json"
    done = logwarden("detect", RECORDING, "--output", output, "--summary", summary)
    assert done.returncode == 0, done.stderr
    records, counts = read_records(output), json.loads(summary.read_text())
    assert counts["anomalies"] == len(records) > 0
    assert {"lines", "units", "anomalies", "rejected", "seconds", "lines_per_second"} <= counts.keys()
    for record in records:
        assert record["explanation"]["text"]
        assert record["evidence"]
        assert record["origin"]["stream"] == f"file:{RECORDING / 'lines.log.gz'}"


def test_plain_gzip_and_standard_input_give_the_same_anomalies(raw_log: Path, tmp_path: Path) -> None:
    packed = tmp_path / "network.log.gz"
    packed.write_bytes(gzip.compress(raw_log.read_bytes()))
    found = []
    for name, source, stdin in (("a", raw_log, b""), ("b", packed, b""), ("c", "-", raw_log.read_bytes())):
        output = tmp_path / f"{name}.ndjson"
        assert logwarden("detect", source, "--output", output, stdin=stdin).returncode == 0
        found.append([(r["start"], r["source"]["host"], r["origin"]["first"]) for r in read_records(output)])
    assert found[0]
    assert found[0] == found[1] == found[2]


def test_rerun_into_the_same_store_adds_nothing(tmp_path: Path) -> None:
    store = tmp_path / "store.db"
    assert logwarden("detect", RECORDING, "--store", store).returncode == 0
    first = logwarden("anomalies", "--store", store, "--limit", 100000, "--format", "ndjson").stdout
    assert logwarden("detect", RECORDING, "--store", store).returncode == 0
    assert first
    assert logwarden("anomalies", "--store", store, "--limit", 100000, "--format", "ndjson").stdout == first


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["/no/such/file"], "no such file"),
        (["/" + "x" * 300], "file name too long"),
        (["/no/such/*.log"], "no file matches"),
        ([str(ROOT / "README.md"), "--model", "nonsense"], "nonsense"),
        ([str(ROOT / "README.md"), "--model", str(ROOT / "docs")], "manifest"),
        ([str(ROOT / "README.md"), "--threshold", "2"], "threshold"),
        (["-", "--store", "/tmp/never-made.db"], "standard input"),
        ([str(ROOT / "README.md"), "--store", "foo://x"], "is neither a path nor an SQLAlchemy URL"),
    ],
)
def test_wrong_input_gets_one_clear_message(args: list[str], words: str) -> None:
    done = logwarden("detect", *args)
    message = done.stderr.decode()
    assert done.returncode == 2
    assert words in message
    assert "Traceback" not in message
    assert len(message.strip().splitlines()) == 1


def test_a_broken_input_is_told_after_everything_else_is_done(raw_log: Path, tmp_path: Path) -> None:
    packed = gzip.compress(raw_log.read_bytes())
    broken = tmp_path / "broken.log.gz"
    broken.write_bytes(packed[: len(packed) // 2])
    small = tmp_path / "small.log"
    small.write_text("<34>Oct 11 22:14:15 mymachine su: ok\n")
    output, summary, store = tmp_path / "a.ndjson", tmp_path / "s.json", tmp_path / "s.db"
    done = logwarden("detect", broken, small, "-o", output, "--summary", summary, "--store", store)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert b"broken.log.gz: broken after line" in done.stderr
    counts = json.loads(summary.read_text())
    assert "broken.log.gz: broken after line" in counts["problem"]
    assert counts["lines"] > 1000
    assert counts["anomalies"] == len(read_records(output)) > 0
    with Store.open(store, read_only=True) as opened:
        assert opened.totals().lines == counts["lines"]
        assert opened.count() == counts["anomalies"]


def test_lines_that_cannot_be_read_are_counted_and_do_no_harm(tmp_path: Path) -> None:
    nasty = tmp_path / "nasty.log"
    nasty.write_bytes(
        b"\x00\x01\x02" * 40 + b"\n\n" + b"<34>Oct 11 22:14:15 mymachine su: ok\n" + b"x" * 70_000 + b"\n\xff\xfe\n"
    )
    summary = tmp_path / "summary.json"
    done = logwarden("detect", nasty, "--summary", summary)
    assert done.returncode == 0, done.stderr
    counts = json.loads(summary.read_text())
    assert counts["lines"] == 5
    assert counts["rejected"] >= 2


def test_a_device_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    log, null = tmp_path / "a.log", tmp_path / "null"
    log.write_text("<34>Oct 11 22:14:15 mymachine su: ok\n")
    null.symlink_to("/dev/null")
    done = logwarden("detect", log, "--output", null, "--summary", null)
    assert done.returncode == 0, done.stderr
    assert null.is_symlink()


def test_evaluation_reports_the_model_its_parts_and_the_baselines(tmp_path: Path) -> None:
    report = tmp_path / "r.json"
    done = logwarden("evaluate", "--model", "builtin", "--data", "lab", "--format", "lab", "--report", report)
    assert done.returncode == 0, done.stderr
    result = json.loads(report.read_text())
    incident = result["incident"]
    assert incident["f1"] >= 0.90
    assert incident["unseen_recall"] >= 0.75
    assert incident["false_alarms_per_day"] < 5
    assert incident["median_seconds_to_detection"] > 0
    rivals = [one["incident"]["f1"] for one in [*result["channels"].values(), *result["baselines"]]]
    assert {one["name"] for one in result["baselines"]} == {"new template", "new count vector", "line rate"}
    assert incident["f1"] > max(rivals) + MARGIN
    assert incident["faults"] == 108
    # The language model may add little to detection, but it must not cost anything.
    assert incident["f1"] > result["ablations"]["without text"]["incident"]["f1"] - MARGIN
    assert result["explanations"]["records"] > 100
    assert result["explanations"]["by_model"] > 0.9


def test_evaluation_of_a_folder_without_recordings_says_so(tmp_path: Path) -> None:
    done = logwarden("evaluate", "--data", tmp_path)
    assert done.returncode == 2
    assert "no recording named train-*" in done.stderr.decode()
