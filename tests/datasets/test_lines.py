"""Log files of which nothing is known are divided by time."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from logwarden.datasets import PARTS, Dataset, load_dataset
from logwarden.errors import InvalidInputError

START = datetime(2026, 3, 1, tzinfo=UTC)


def write_log(path: Path, first: int, last: int, *, host: str = "r1", stamp: bool = True) -> list[str]:
    """Write one line a minute."""
    moments = [START + timedelta(minutes=i) for i in range(first, last)]
    lines = [f"{t.isoformat()} {host} sshd[1]: line {i}" if stamp else f"line {i}" for i, t in enumerate(moments)]
    data = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return lines


def lines_of(dataset: Dataset, part: str) -> list[str]:
    return [line for one in dataset.part(part) for batch in one.batches() for line in batch.lines]


def test_file_is_divided_60_20_20(tmp_path: Path) -> None:
    lines = write_log(tmp_path / "a.log", 0, 200)
    dataset = load_dataset(str(tmp_path / "a.log"))
    assert [lines_of(dataset, part) for part in PARTS] == [lines[:120], lines[120:160], lines[160:]]
    assert (dataset.format, dataset.labelled) == ("lines", False)
    assert dataset.test[0].days == pytest.approx(39 / 1440)


def test_positions_are_those_of_the_file(tmp_path: Path) -> None:
    write_log(tmp_path / "a.log", 0, 200)
    dataset = load_dataset(str(tmp_path / "a.log"))
    assert next(dataset.test[0].batches()).positions[0] == 161


def test_files_of_the_same_days_are_divided_at_the_same_moments(tmp_path: Path) -> None:
    busy = write_log(tmp_path / "busy.log", 0, 400)
    quiet = write_log(tmp_path / "quiet.log", 300, 400, host="r2")
    dataset = load_dataset(str(tmp_path))
    # 500 lines: the 300th comes at minute 300, the 400th at minute 350.
    assert lines_of(dataset, "train") == busy[:300]
    assert lines_of(dataset, "validation") == busy[300:350] + quiet[:50]
    assert sum(one.days for one in dataset.test) == pytest.approx(49 / 1440)


def test_rotated_files_are_put_in_order(tmp_path: Path) -> None:
    older = write_log(tmp_path / "syslog.1.gz", 0, 100)
    newer = write_log(tmp_path / "syslog", 100, 200)
    dataset = load_dataset(str(tmp_path / "syslog*"))
    assert lines_of(dataset, "train") == older + newer[:20]
    assert lines_of(dataset, "test") == newer[60:]


def test_lines_without_times_are_divided_by_their_number(tmp_path: Path) -> None:
    lines = write_log(tmp_path / "plain.log", 0, 100, stamp=False)
    dataset = load_dataset(str(tmp_path / "plain.log"))
    assert [lines_of(dataset, part) for part in PARTS] == [lines[:60], lines[60:80], lines[80:]]
    assert dataset.test[0].days == 0


def test_everything_counts_as_normal(tmp_path: Path) -> None:
    write_log(tmp_path / "a.log", 0, 100)
    recording = load_dataset(str(tmp_path / "a.log")).train[0]
    assert recording.is_normal("r1", 0.0, 1e12)
    assert recording.fault_count == 0


def test_what_is_no_text_is_left_out(tmp_path: Path) -> None:
    lines = write_log(tmp_path / "a.log", 0, 100)
    (tmp_path / "wtmp").write_bytes(b"\x07\x00\x00\x00" * 100)
    (tmp_path / ".hidden").write_text("not read\n")
    dataset = load_dataset(str(tmp_path))
    assert sorted(line for part in PARTS for line in lines_of(dataset, part)) == sorted(lines)


def test_json_lines_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    rows = [{"time": (START + timedelta(minutes=i)).isoformat(), "host": "r1", "message": f"m {i}"} for i in range(100)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    dataset = load_dataset(path.as_uri(), "ndjson")
    assert dataset.format == "ndjson"
    assert len(lines_of(dataset, "train")) == 60
    assert dataset.train[0].started == START.timestamp()


def test_hash_changes_with_the_content(tmp_path: Path) -> None:
    write_log(tmp_path / "a.log", 0, 100)
    before = load_dataset(str(tmp_path / "a.log")).sha256()
    assert load_dataset(str(tmp_path / "a.log")).sha256() == before
    write_log(tmp_path / "a.log", 0, 101)
    assert load_dataset(str(tmp_path / "a.log")).sha256() != before


def test_wrong_data_gets_a_clear_message(tmp_path: Path) -> None:
    write_log(tmp_path / "short.log", 0, 99)
    (tmp_path / "folder").mkdir()
    (tmp_path / "broken.gz").write_bytes(b"\x1f\x8bnonsense")
    cases = [
        (str(tmp_path / "gone.log"), "auto", "no such file"),
        (str(tmp_path / "short.log"), "auto", "99 lines are too few to learn from, at least 100 are needed"),
        (str(tmp_path / "short.log"), "ndjson", "the first line is no JSON object"),
        (str(tmp_path / "folder"), "lines", "no text file found"),
        (str(tmp_path / "folder"), "lab", "no recording named train-"),
        (str(tmp_path / "folder"), "hdfs", "neither HDFS.log"),
        (str(tmp_path / "broken.gz"), "lines", "damaged gzip file"),
        ("s3://logs/2026/", "auto", "s3:// cannot be read here"),
        (str(tmp_path), "bgl", "format bgl cannot be read by this version; it reads auto, lab, lines, ndjson, hdfs"),
    ]
    for uri, data_format, words in cases:
        with pytest.raises(InvalidInputError) as raised:
            load_dataset(uri, data_format)
        assert words in str(raised.value)
        assert "\n" not in str(raised.value)
