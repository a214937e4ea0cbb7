"""``logwarden detect --jobs``: the same report from any number of processes."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from logwarden.cli import main
from logwarden.cli.detect_jobs import logs_of
from logwarden.store import Store
from tests.local.conftest import raw_lines


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three logs in five files, one of them rotated, one broken."""
    folder = tmp_path_factory.mktemp("archive")
    for name, seed in (("edge", 3), ("core", 4), ("dc", 5)):
        lines = [text for _, text in raw_lines(minutes=7, seed=seed)]
        half = len(lines) // 2
        if name == "dc":
            (folder / "dc.log").write_text("\n".join(lines) + "\n")
            continue
        with gzip.open(folder / f"{name}.log.1.gz", "wt") as file:
            file.write("\n".join(lines[:half]) + "\n")
        (folder / f"{name}.log").write_text("\n".join(lines[half:]) + "\n")
    return folder


def call(*arguments: str) -> object:
    with pytest.raises(SystemExit) as ended:
        main(["detect", *arguments])
    return ended.value.code


def run(folder: Path, archive: Path, *options: str, code: int = 0) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    folder.mkdir()
    files = [str(file) for file in sorted(archive.iterdir(), reverse=True)]
    output, summary = folder / "out.ndjson", folder / "summary.json"
    assert call(*files, "--output", str(output), "--summary", str(summary), *options) == code
    records = [json.loads(line) for line in output.read_text().splitlines()]
    for record in records:
        del record["detected"]
    report = json.loads(summary.read_text())
    return records, {name: report[name] for name in ("lines", "units", "anomalies", "cases", "rejected", "problem")}


def test_one_process_and_several_give_the_same_records_in_the_same_order(tmp_path: Path, archive: Path) -> None:
    store = tmp_path / "s.db"
    one = run(tmp_path / "one", archive, "--jobs", "1")
    several = run(tmp_path / "several", archive, "--jobs", "3", "--store", str(store))
    assert one == several
    assert one[0], "nothing was found that could be compared"
    assert one[1]["lines"] == sum(len(raw_lines(minutes=7, seed=seed)) for seed in (3, 4, 5))
    with Store.open(store, read_only=True) as opened:
        assert {record.id for record in opened.anomalies(limit=10_000)} == {record["id"] for record in one[0]}
        assert opened.totals().lines == one[1]["lines"]
    assert run(tmp_path / "again", archive, "--jobs", "2", "--store", str(store))[1]["lines"] == 0, "it goes on"


def test_what_cannot_be_read_to_its_end_is_told_and_the_rest_is_judged(tmp_path: Path, archive: Path) -> None:
    broken = tmp_path / "broken.gz"
    broken.write_bytes((archive / "edge.log.1.gz").read_bytes()[:-200])
    output = tmp_path / "out.ndjson"
    assert call("-j", "2", str(broken), str(archive / "dc.log"), "--output", str(output)) == 2
    assert "dc.log" in output.read_text()


def test_files_of_one_log_stay_together() -> None:
    names = "syslog syslog.1 syslog.2.gz auth.log auth.log.1 m-20261101.gz m-20261102 r1.log r2.log"
    files = [f"/v/{name}" for name in names.split()]
    assert logs_of(files) == [files[:3], files[3:5], files[5:7], files[7:8], files[8:]]
    assert len(logs_of(["/v/syslog", "/w/syslog"])) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-"], "standard input"),
        (["--follow", __file__], "--follow"),
        (["--jobs", "0", __file__], "greater than or equal to 1"),
    ],
)
def test_what_does_not_go_together_is_told(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("--jobs", "2", *arguments) == 2
    assert words in capsys.readouterr().err
