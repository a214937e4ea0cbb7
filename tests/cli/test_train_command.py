"""``logwarden train`` as a person calls it: with a file that says everything, or in one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from logwarden.cli.train import command
from logwarden.training.pipeline import train

pytestmark = pytest.mark.train

START = datetime(2026, 3, 1, tzinfo=UTC)


def logwarden(home: Path, *args: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LOGWARDEN_DATA_DIR": str(home / "data"), "XDG_STATE_HOME": str(home / "state")}
    command = [sys.executable, "-m", "logwarden", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=home)


def lines(count: int, *, failing: bool = False) -> list[str]:
    said = []
    for i in range(count):
        stamp = (START + timedelta(seconds=7 * i)).strftime("%b %d %H:%M:%S")
        text = ("sshd[4]: Accepted publickey for admin from 10.0.0.7 port 50{:03} ssh2", "cron[9]: job {} done")[i % 2]
        said.append(f"<13>{stamp} r{i % 3} {text.format(i % 900)}")
        if failing and i == count // 2:
            said.append(f"<10>{stamp} r1 kernel: Out of memory: killed process 4711 (bgpd)")
    return said


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "network.log"
    path.write_text("\n".join(lines(900)) + "\n")
    return path


def model(path: Path, *spec: str) -> Path:
    header = ["apiVersion: logwarden.dev/v1alpha1", "kind: AnomalyModel", "metadata: {name: mine}", "spec:"]
    path.write_text("\n".join([*header, *(f"  {line}" for line in spec)]) + "\n")
    return path


def test_one_line_fits_the_packaged_model_to_my_logs(log: Path, tmp_path: Path) -> None:
    done = logwarden(tmp_path, "train", "--data", log, "--steps", 0, "--promote")
    assert done.returncode == 0, done.stderr
    assert "the data has no labels" in done.stdout
    assert "it is the active revision now" in done.stdout
    listed = json.loads(logwarden(tmp_path, "models", "list", "--format", "json").stdout)
    assert [(row["active"], row["f1"]) for row in listed] == [(True, None)]
    later = tmp_path / "later.log"
    later.write_text("\n".join(lines(300, failing=True)) + "\n")
    records = tmp_path / "a.ndjson"
    assert logwarden(tmp_path, "detect", later, "--model", "active", "--output", records).returncode == 0
    found = [json.loads(line) for line in records.read_text().splitlines()]
    assert any("Out of memory" in record["template"]["text"] for record in found)


def test_file_says_everything(log: Path, tmp_path: Path) -> None:
    file = model(
        tmp_path / "model.yaml",
        "unit: {kind: Session, session: {key: 'port (\\d+)', idleSeconds: 120}}",
        f"training: {{datasets: [{{uri: {log}, format: lines}}], seed: 3}}",
        "threshold: {value: 0.8}",
        f"storage: {{uri: file://{tmp_path}/revisions}}",
        "promotion: {automatic: false}",
    )
    done = logwarden(tmp_path, "train", "-f", file, "--steps", 0)
    assert done.returncode == 0, done.stderr
    assert "spec.training.feedback: none is there yet" in done.stderr
    assert "not made active: spec.promotion.automatic is false" in done.stdout
    (folder,) = (tmp_path / "revisions").glob("[0-9a-f]*")
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["name"] == "mine"
    assert manifest["unit"] == {
        "kind": "session",
        "window": None,
        "session": {"key": "port (\\d+)", "idle_seconds": 120},
    }
    assert manifest["threshold"] == {"value": 0.8, "method": "fixed", "from": "threshold.value"}
    assert manifest["training"]["mode"] == "SemiSupervised"
    assert manifest["seed"] == 3
    assert manifest["data"][0]["format"] == "lines"


def test_revision_becomes_active_where_the_file_lets_it(log: Path, tmp_path: Path) -> None:
    file = model(tmp_path / "model.yaml", f"training: {{datasets: [{{uri: {log}}}], feedback: {{include: false}}}}")
    result = tmp_path / "result.json"
    done = logwarden(tmp_path, "train", "-f", file, "--steps", 0, "--result", result)
    assert done.returncode == 0, done.stderr
    assert "feedback" not in done.stderr
    assert "it is the active revision now" in done.stdout
    told = json.loads(result.read_text())
    assert told["active"] is True
    assert told["revision"] in done.stdout
    strict = model(
        tmp_path / "strict.yaml",
        f"training: {{datasets: [{{uri: {log}}}]}}",
        "promotion: {minimumF1: 0.9}",
        "threshold: {value: 0.5}",
    )
    done = logwarden(tmp_path, "train", "-f", strict, "--steps", 0, "--result", result)
    assert json.loads(result.read_text())["refusal"].startswith("minimumF1 is 0.9")
    assert "not made active: minimumF1 is 0.9, but the test part has no labelled faults" in done.stdout


@pytest.mark.parametrize(
    ("after", "active"), [("promotion: {automatic: true}", True), ("promotion: {automatic: no idea}", False)]
)
def test_promotion_is_decided_by_what_the_file_says_at_the_end(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: str, active: bool
) -> None:
    training = f"training: {{datasets: [{{uri: {log}}}]}}"
    file = model(tmp_path / "model.yaml", training, "promotion: {automatic: false}")

    def train_while_somebody_edits(*arguments: Any) -> Any:
        revision = train(*arguments)
        model(file, training, after)
        return revision

    monkeypatch.setattr("logwarden.training.pipeline.train", train_while_somebody_edits)
    result = tmp_path / "result.json"
    command(file=file, steps=0, out=tmp_path / "revisions", work=tmp_path / "work", result=result)
    assert json.loads(result.read_text())["active"] is active


def test_old_revisions_and_checkpoints_go(log: Path, tmp_path: Path) -> None:
    work = tmp_path / "training" / "job-1"
    left = tmp_path / "training" / "job-0"
    others = tmp_path / "training" / "somebody-elses"
    for folder in (left, others):
        (folder / "tuned").mkdir(parents=True)
    (left / ".logwarden-training").touch()
    for path in (*left.rglob("*"), left, *others.rglob("*"), others):
        os.utime(path, (0, 0))
    result, removed = tmp_path / "result.json", []
    for value in (0.5, 0.6, 0.7, 0.8):
        file = model(
            tmp_path / "model.yaml",
            f"training: {{datasets: [{{uri: {log}}}]}}",
            f"threshold: {{value: {value}}}",
            "promotion: {keepRevisions: 1}",
        )
        done = logwarden(
            tmp_path, "train", "-f", file, "--steps", 0, "--work", work, "--discard-work", "--result", result,
            "--metrics-port", 0,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        told = json.loads(result.read_text())
        removed += told["removed"]
    assert "progress at http://localhost:" in done.stderr
    assert "old revisions (promotion.keepRevisions)" in done.stderr
    there = {row["id"] for row in json.loads(logwarden(tmp_path, "models", "list", "--format", "json").stdout)}
    assert len(there) == 2
    assert told["revision"] in there
    assert len(removed) == 2
    assert not there & set(removed)
    assert [path.name for path in work.parent.iterdir()] == ["somebody-elses"]


def test_a_folder_with_other_files_is_not_discarded(log: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    done = logwarden(tmp_path, "train", "--data", log, "--steps", 0, "--work", tmp_path, "--discard-work")
    assert done.returncode == 2
    assert "holds other files" in done.stderr
    assert (tmp_path / "mine.txt").exists()


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (["base: {family: BERT, model: bert-base}"], "spec.base.family: BERT cannot be trained yet"),
        (["base: {model: 'pvc://models/t5'}"], "spec.base.model: pvc://models/t5 exists only in a cluster"),
        (
            ["unit: {kind: Flow}", "training: {datasets: [{uri: LOG}]}"],
            "spec.unit.kind: Flow needs flow records, lines of JSON or key=value, and the training part has none",
        ),
        (["unit: {kind: Window}"], "spec.training.datasets: found none"),
        (
            ["training: {datasets: [{topic: {last: 7d}}]}"],
            "spec.training.datasets[0].topic: no LogPipeline beside the model has mine in spec.detect.modelRef",
        ),
        (
            ["training: {datasets: [{uri: 'gs://logs/'}]}"],
            "spec.training.datasets[0]: gs://logs/: gs:// cannot be read",
        ),
        (
            ["training: {datasets: [{uri: LOG}, {uri: LOG, format: bgl}]}"],
            "spec.training.datasets[1]: format bgl cannot be read by this version",
        ),
        (
            ["training: {mode: Supervised, datasets: [{uri: LOG}]}"],
            "spec.training.mode: Supervised needs labels, and none of the data sets has any",
        ),
        (
            ["training: {datasets: [{uri: LOG}]}", "storage: {uri: 'gs://models/'}"],
            "spec.storage.uri: gs://models/ cannot be written here: give a folder with --out",
        ),
        (
            ["training: {datasets: [{uri: LOG}]}", "threshold: {method: F1}"],
            "threshold method F1 needs labelled faults",
        ),
        (
            ["training: {datasets: [{uri: LOG, format: lin}]}"],
            "spec.training.datasets[0].format: found 'lin', allowed:",
        ),
    ],
)
def test_wrong_file_gets_one_clear_message(log: Path, tmp_path: Path, spec: list[str], words: str) -> None:
    file = model(tmp_path / "model.yaml", *(line.replace("LOG", str(log)) for line in spec))
    done = logwarden(tmp_path, "train", "-f", file, "--steps", 0)
    error = [line for line in done.stderr.splitlines() if line.startswith("logwarden: error: ")]
    assert done.returncode == 2
    assert len(error) == 1
    assert words in error[0]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--data", "/no/such/file"], "no such file: /no/such/file"),
        (
            ["--data", "LOG", "--threshold", "nonsense"],
            "--threshold nonsense: expected a number from 0 to 1, or one of",
        ),
        (["--data", "LOG", "--steps", "0", "--base", "scratch"], "only a model revision, such as builtin"),
        (["-f", "LOG", "--data", "x"], "--data does not go with --file"),
        (["--data", "LOG", "--secrets", "x"], "--bootstrap-servers and --secrets need --file"),
        (["-f", "/no/such/model.yaml"], "/no/such/model.yaml: cannot be read"),
        (["--data", "LOG", "--steps", "-1"], "--steps"),
    ],
)
def test_wrong_options_get_one_clear_message(log: Path, tmp_path: Path, args: list[str], words: str) -> None:
    done = logwarden(tmp_path, "train", *(str(log) if arg == "LOG" else arg for arg in args))
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_pipeline_alone_is_nothing_to_train(tmp_path: Path) -> None:
    file = tmp_path / "pipeline.yaml"
    file.write_text(
        "apiVersion: logwarden.dev/v1alpha1\nkind: LogPipeline\nmetadata: {name: p}\n"
        "spec: {detect: {modelRef: {name: elsewhere}}}\n"
    )
    done = logwarden(tmp_path, "train", "-f", file)
    assert done.returncode == 2
    assert "no AnomalyModel found" in done.stderr
