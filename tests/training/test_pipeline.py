"""The whole way of a model on small data: read, train, fit, choose the threshold, measure, write, detect."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from logwarden.api.record import UnitKind
from logwarden.datasets import load_dataset
from logwarden.detect import DetectionModel, Detector
from logwarden.errors import InvalidInputError
from logwarden.events import Batch
from logwarden.revisions import Revision
from logwarden.training import pipeline
from logwarden.training.language import Lora, ModelSize, TrainingConfig
from logwarden.training.pipeline import train
from logwarden.training.plan import Parts, Plan, Threshold
from logwarden.units import UnitConfig

pytestmark = pytest.mark.train

START = datetime(2026, 3, 1, tzinfo=UTC)
HOSTS = ("r1", "r2", "srv1")
TINY = ModelSize(
    width=32, feed_forward=64, heads=2, head_width=16, encoder_layers=1, decoder_layers=1, vocabulary=640, dropout=0.0
)
NORMAL = (
    "sshd[7]: Accepted publickey for admin from 10.0.0.{n} port 5{n:03} ssh2",
    "dhcpd: DHCPACK on 10.0.1.{n} to aa:bb:cc:00:00:{n:02x} via eth0",
    "bgpd[9]: neighbor 10.0.0.{n} keepalive received",
)
FAULTY = "kernel: ata1: I/O error on sector {n}, device is offline"


@pytest.fixture(autouse=True)
def _few_explanations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "_EXPLANATIONS", 200)


def everyday_lines(seconds: int, seed: int, faults: list[tuple[int, int]]) -> Iterator[tuple[float, str, str]]:
    """Yield (second, host, text): every host writes each normal line about every 20 s; r1 fails during faults."""
    rng = random.Random(seed)
    for second in range(0, seconds, 5):
        for host in HOSTS:
            if rng.random() < 0.4:
                yield second, host, rng.choice(NORMAL).format(n=rng.randint(1, 60))
        if any(start <= second <= end for start, end in faults):
            yield second + 1, "r1", FAULTY.format(n=rng.randint(1, 9999))


def syslog(second: float, host: str, text: str) -> str:
    return f"<13>{(START + timedelta(seconds=second)).strftime('%b %d %H:%M:%S')} {host} {text}"


def write_recording(folder: Path, seed: int, faults: list[tuple[int, int]], seconds: int = 3600) -> None:
    """Write a recording as the lab does."""
    folder.mkdir(parents=True)

    def moment(second: float) -> str:
        return (START + timedelta(seconds=second)).isoformat()

    meta = {"started": moment(0), "ended": moment(seconds), "simulated_day_seconds": seconds}
    (folder / "meta.json").write_text(json.dumps(meta))
    truth = [
        {"id": f"f{i}", "kind": "disk_failure", "type": "fault", "hosts": ["r1"], "affected": [], "held_out": False}
        | {"start": moment(start), "end": moment(end), "recovered": moment(end + 5)}
        for i, (start, end) in enumerate(faults)
    ]
    (folder / "truth.jsonl").write_text("".join(json.dumps(fault) + "\n" for fault in truth))
    with (folder / "lines.log").open("w") as file:
        for second, host, text in everyday_lines(seconds, seed, faults):
            file.write(f"{moment(second)}\t10.9.0.1\tudp\t{syslog(second, host, text)}\n")


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recordings")
    faults = [(start, start + 30) for start in range(300, 3300, 500)]
    for seed, name in enumerate(("train-1", "validation-2", "test-3")):
        write_recording(folder / name, seed, faults)
    return folder


@pytest.fixture(scope="module")
def plain_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("logs") / "network.log"
    path.write_text("".join(syslog(*line) + "\n" for line in everyday_lines(9000, 7, [])))
    return path


def small(**settings: Any) -> TrainingConfig:
    return TrainingConfig(**{"size": TINY, "threads": 1, "max_tokens": 48, "batch_size": 8, **settings})


def files_of(revision: Revision) -> set[str]:
    return set(revision.manifest.files)


def records_of(revision: Revision, lines: list[str]) -> list[Any]:
    detector = Detector(DetectionModel.load(revision), "test")
    records = detector.process(Batch("file:new", range(1, len(lines) + 1), lines)).records
    return records + detector.finish().records


def test_model_from_scratch_learns_from_recordings(recordings: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    (work / "revision").mkdir(parents=True)
    (work / "revision" / "stale.txt").write_text("of an earlier run")
    plan = Plan(
        "tiny",
        "scratch",
        work,
        pretraining=small(steps=4, learning_rate=5e-3),
        tuning=small(steps=4, lora=Lora(rank=2), evaluate_every=2),
    )
    parts = Parts([load_dataset(str(recordings))])
    revision = train(plan, parts, tmp_path / "models")
    manifest = revision.manifest
    assert "stale.txt" not in files_of(revision)
    assert {"templates.json", "ensemble.json", "language/encoder.onnx", "language/model.safetensors"} <= files_of(
        revision
    )
    assert manifest.base.model == "scratch"
    assert manifest.parent is None
    assert manifest.training["steps"] == manifest.training["pretraining_steps"] == 4
    assert manifest.training["device"] == "cpu"
    assert isinstance(manifest.training["seconds"], float)
    assert manifest.threshold.method == "F1"
    assert manifest.data[0].format == "lab"
    assert manifest.data[0].splits["test"].anomalies > 0
    incident: Any = manifest.metrics["incident"]
    assert incident["faults"] == 6
    assert incident["recall"] == 1.0
    # The same data and settings: everything that was finished is used again, and the content is the same.
    assert train(plan, parts, tmp_path / "models").id == revision.id


def test_packaged_model_is_tuned_on_logs_without_labels(plain_log: Path, tmp_path: Path) -> None:
    plan = Plan(
        "mine", "builtin", tmp_path / "work", mode="SemiSupervised", tuning=small(steps=2, lora=Lora(rank=2, alpha=4))
    )
    revision = train(plan, Parts([load_dataset(str(plain_log))]), tmp_path / "models")
    manifest = revision.manifest
    assert manifest.parent is not None
    assert manifest.threshold.method == "Quantile"
    incident: Any = manifest.metrics["incident"]
    assert incident["f1"] is None
    assert "no labels" in incident["note"]
    assert manifest.metrics["baselines"] == []
    normal = [syslog(*line) for line in everyday_lines(1200, 99, [])]
    odd = [syslog(*line) for line in everyday_lines(1200, 99, [(600, 630)])]
    assert len(records_of(revision, normal)) <= 1
    assert any("I/O error" in record.template.text for record in records_of(revision, odd))


def test_channels_alone_are_fitted_in_a_moment(plain_log: Path, tmp_path: Path) -> None:
    said: list[str] = []
    plan = Plan("mine", "builtin", tmp_path / "work", tuning=TrainingConfig(steps=0))
    revision = train(plan, Parts([load_dataset(str(plain_log))]), tmp_path / "models", said.append)
    assert revision.manifest.training["steps"] == 0
    assert any(line.startswith("threshold") and "units are few" in line for line in said)
    odd = [syslog(*line) for line in everyday_lines(1200, 99, [(600, 630)])]
    assert any("I/O error" in record.template.text for record in records_of(revision, odd))


def test_base_without_language_model_for_serving_is_refused(plain_log: Path, tmp_path: Path) -> None:
    plan = Plan("mine", "google/flan-t5-small", tmp_path / "work", tuning=TrainingConfig(steps=0))
    with pytest.raises(InvalidInputError, match="only a model revision, such as builtin, can be used without tuning"):
        train(plan, Parts([load_dataset(str(plain_log))]), tmp_path / "models")


def test_fixed_threshold_stands_in_the_manifest(plain_log: Path, tmp_path: Path) -> None:
    plan = Plan("mine", "builtin", tmp_path / "work", tuning=TrainingConfig(steps=0), threshold=Threshold(value=0.87))
    threshold = train(plan, Parts([load_dataset(str(plain_log))]), tmp_path / "models").manifest.threshold
    assert (threshold.value, threshold.method, threshold.from_) == (0.87, "fixed", "threshold.value")


def test_lines_alone_can_be_the_unit(plain_log: Path, tmp_path: Path) -> None:
    plan = Plan("mine", "builtin", tmp_path / "work", unit=UnitConfig.line(), tuning=TrainingConfig(steps=0))
    revision = train(plan, Parts([load_dataset(str(plain_log))]), tmp_path / "models")
    assert revision.manifest.unit.kind is UnitKind.LINE
    odd = [syslog(*line) for line in everyday_lines(1200, 99, [(600, 630)])]
    found = [record for record in records_of(revision, odd) if "I/O error" in record.template.text]
    assert {record.line_count for record in found} == {1}


def job_lines(jobs: int, broken: set[int]) -> list[str]:
    """Return the lines of jobs that run side by side on two hosts; a broken one never commits and opens twice."""
    lines = []
    for job in range(jobs):
        steps = ["open", "read", "read", "open" if job in broken else "commit", "close"]
        lines += [(job * 3 + 2 * i, f"worker[3]: job=j{job} {step} done") for i, step in enumerate(steps)]
    return [syslog(second, HOSTS[i % 2], text) for i, (second, text) in enumerate(sorted(lines))]


def test_sessions_are_compared_by_what_they_hold(tmp_path: Path) -> None:
    path = tmp_path / "jobs.log"
    path.write_text("".join(line + "\n" for line in job_lines(600, set())))
    plan = Plan(
        "jobs",
        "builtin",
        tmp_path / "work",
        unit=UnitConfig.session(r"job=(\w+)", 60),
        tuning=TrainingConfig(steps=0),
    )
    revision = train(plan, Parts([load_dataset(str(path))]), tmp_path / "models")
    assert revision.manifest.unit.session is not None
    assert revision.manifest.unit.session.key == r"job=(\w+)"
    records = records_of(revision, job_lines(100, {40, 41}))
    # Each session is a finding of its own, however alike.
    assert [{line.text.split("job=")[1].split()[0] for line in record.lines} for record in records] == [
        {"j40"},
        {"j41"},
    ]
    assert all(record.category == "never_seen_combination" for record in records)


def test_session_detection_goes_on_from_a_snapshot(tmp_path: Path) -> None:
    path = tmp_path / "jobs.log"
    path.write_text("".join(line + "\n" for line in job_lines(600, set())))
    plan = Plan(
        "jobs", "builtin", tmp_path / "w", unit=UnitConfig.session(r"job=(\w+)", 60), tuning=TrainingConfig(steps=0)
    )
    model = DetectionModel.load(train(plan, Parts([load_dataset(str(path))]), tmp_path / "models"))
    lines = job_lines(100, {40, 41})
    whole = Detector(model, "test").process(Batch("s", range(len(lines)), lines)).records
    first, second = Detector(model, "test"), Detector(model, "test")
    half = len(lines) * 41 // 100
    ids = [record.id for record in first.process(Batch("s", range(half), lines[:half])).records]
    second.restore(first.snapshot())
    rest = second.process(Batch("s", range(half, len(lines)), lines[half:])).records
    assert ids + [record.id for record in rest] == [record.id for record in whole]
    assert len(whole) == 2


def test_data_that_cannot_be_read_as_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "noise.log"
    path.write_bytes(b"\x01\x02\x03\x04\x05\n" * 200)
    plan = Plan("mine", "builtin", tmp_path / "work", tuning=TrainingConfig(steps=0))
    with pytest.raises(InvalidInputError, match="no line of the training part can be read"):
        train(plan, Parts([load_dataset(str(path))]), tmp_path / "models")
