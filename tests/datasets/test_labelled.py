"""Data sets with labels: recordings of the lab, and HDFS logs labelled by block."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from logwarden.datasets import PARTS, load_dataset
from logwarden.errors import InvalidInputError

START = datetime(2026, 3, 1, tzinfo=UTC)


def moment(minute: float) -> str:
    return (START + timedelta(minutes=minute)).isoformat()


def write_recording(folder: Path, faults: list[tuple[int, int]]) -> None:
    folder.mkdir()
    meta = {"started": moment(0), "ended": moment(100), "simulated_day_seconds": 3000}
    (folder / "meta.json").write_text(json.dumps(meta))
    truth = [
        {"id": f"f{i}", "kind": "link_flap", "type": "fault", "hosts": ["r1"], "affected": [], "held_out": False}
        | {"start": moment(start), "end": moment(end), "recovered": moment(end)}
        for i, (start, end) in enumerate(faults)
    ]
    (folder / "truth.jsonl").write_text("".join(json.dumps(fault) + "\n" for fault in truth))
    lines = [f"{moment(i)}\t10.0.0.1\tudp\t<13>{i} r1 sshd: hello\n" for i in range(100)]
    (folder / "lines.log").write_text("".join(lines))


def test_recordings_are_found_by_the_names_of_their_parts(tmp_path: Path) -> None:
    for name in ("train-1", "train-2", "validation-3", "test-4"):
        write_recording(tmp_path / name, [(10, 12)])
    dataset = load_dataset(str(tmp_path))
    assert dataset.format == "lab"
    assert [[one.name for one in dataset.part(part)] for part in PARTS] == [
        ["train-1", "train-2"],
        ["validation-3"],
        ["test-4"],
    ]
    assert dataset.labelled


def test_one_recording_is_divided_by_time_with_its_faults(tmp_path: Path) -> None:
    write_recording(tmp_path / "day", [(10, 12), (58, 63), (90, 95)])
    dataset = load_dataset(str(tmp_path / "day"))
    train, validation, test = dataset.train[0], dataset.validation[0], dataset.test[0]
    assert [fault.id for fault in train.faults] == ["f0", "f1"]
    # A fault that is not over when a part begins must not be taken for normal there.
    assert [fault.id for fault in validation.faults] == ["f1"]
    assert [fault.id for fault in test.faults] == ["f2"]
    assert train.days == pytest.approx(59 * 60 / 3000)
    assert [sum(len(batch.lines) for batch in one.batches()) for one in (train, validation, test)] == [60, 20, 20]


def test_damaged_recording_is_named(tmp_path: Path) -> None:
    write_recording(tmp_path / "day", [])
    (tmp_path / "day" / "truth.jsonl").write_text("{}\n")
    with pytest.raises(InvalidInputError, match="is not a recording of the lab"):
        load_dataset(str(tmp_path / "day"))


def write_hdfs(folder: Path, blocks: int) -> None:
    lines = [
        f"081109 20{i:02}{step:02} 148 INFO dfs.DataNode: step {step} of blk_{i}\n"
        for i in range(blocks)
        for step in range(3)
    ]
    (folder / "HDFS.log").write_text("".join(lines))
    rows = [f"blk_{i},{'Anomaly' if i % 5 == 0 else 'Normal'}\n" for i in range(blocks)]
    (folder / "anomaly_label.csv").write_text("BlockId,Label\n" + "".join(rows))


def test_blocks_are_divided_in_the_order_of_their_first_lines(tmp_path: Path) -> None:
    write_hdfs(tmp_path, 20)
    dataset = load_dataset(str(tmp_path), "hdfs")
    assert [one.name for part in PARTS for one in dataset.part(part)] == [
        "blocks 1-12",
        "blocks 13-16",
        "blocks 17-20",
    ]
    test = dataset.test[0]
    assert test.anomalous_sessions == frozenset()
    assert dataset.validation[0].anomalous_sessions == {"blk_15"}
    assert not dataset.validation[0].is_normal("h", 0, 1, "blk_15")
    assert dataset.validation[0].is_normal("h", 0, 1, "blk_14")
    assert sum(len(batch.lines) for batch in test.batches()) == 12


def test_published_samples_are_read(shared_data: Path) -> None:
    dataset = load_dataset(str(shared_data / "hdfs"), "hdfs")
    assert sum(one.fault_count for part in PARTS for one in dataset.part(part)) == 350
    line = next(dataset.train[0].batches()).lines[0]
    assert line.startswith("081109 203530 147 INFO dfs.DataNode$DataXceiver: Receiving block blk_4394112519745907149")
