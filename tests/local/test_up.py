"""``logwarden up`` as a process: real sockets, signals, crashes, wrong input."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import httpx
import pytest

from logwarden.detect import DetectionModel, Detector
from logwarden.revisions import Registry, open_revision, write_revision
from logwarden.sources.spool import SpoolReader
from logwarden.store import Phase, PipelineStatus, Store
from logwarden.streaming.loop import DetectorLoop, Track

from .conftest import MODEL, PIPELINE, SECONDS, Start, Up, contents, write_recording

HOST = "127.0.0.1"


def send(up: Up, lines: int = 1, text: str = "<38>Mar  1 12:00:00 srv1 sshd[7]: Failed password for root") -> None:
    with socket.create_connection((HOST, up.port("syslog TCP"))) as sock:
        sock.sendall(f"{text}\n".encode() * lines)


def stored_lines(store: Path) -> int:
    with Store.open(store, read_only=True) as opened:
        return opened.totals().lines


def status_of(store: Path) -> PipelineStatus | None:
    with Store.open(store, read_only=True) as opened:
        return opened.status()


def wait_until_stored(store: Path, lines: int) -> None:
    until = time.monotonic() + SECONDS
    while stored_lines(store) < lines:
        assert time.monotonic() < until, f"{stored_lines(store)} of {lines} lines are stored"
        time.sleep(0.05)


def test_what_arrives_by_every_way_is_stored_and_the_status_tells_the_ports(up: Start, tmp_path: Path) -> None:
    one = up("--data-dir", str(tmp_path / "d"))
    store = tmp_path / "d" / "logwarden.db"
    one.wait_for("Stop with Ctrl-C")
    send(one, 100)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"<13>Mar  1 12:00:00 r1 app: hello", (HOST, one.port("syslog UDP")))
    url = one.wait_for(r"HTTP +(http://\S+)")[1]
    assert httpx.post(url, content=b"<13>Mar  1 12:00:00 r2 app: by http\n").json() == {"accepted": 1, "rejected": 0}
    wait_until_stored(store, 102)
    status = status_of(store)
    assert status is not None
    assert (status.pipeline, status.phase) == ("test", Phase.LISTENING)
    assert {(listener.name, listener.protocol) for listener in status.listeners} == {
        ("udp", "udp"),
        ("tcp", "tcp"),
        ("http", "http"),
    }
    assert status.listeners[1].port == one.port("syslog TCP")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"", (HOST, one.port("syslog UDP")))
    assert httpx.post(url, content=b"").status_code == 400
    assert one.stop() == 0
    stopped = status_of(store)
    assert stopped is not None
    assert stopped.phase is Phase.STOPPED
    counts = {one.name: (one.received, one.malformed, one.dropped, one.refused) for one in stopped.listeners}
    assert counts == {"udp": (2, 1, 0, 0), "tcp": (100, 0, 0, 0), "http": (1, 0, 0, 1)}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_stores_what_has_arrived(up: Start, tmp_path: Path, number: int) -> None:
    one = up("--data-dir", str(tmp_path / "d"))
    one.wait_for("Stop with Ctrl-C")
    send(one, 5000)
    time.sleep(0.2)
    assert one.stop(number) == 0
    assert stored_lines(tmp_path / "d" / "logwarden.db") == 5000
    assert "Traceback" not in one.text


def test_a_restart_reads_nothing_twice(up: Start, tmp_path: Path) -> None:
    store = tmp_path / "d" / "logwarden.db"
    for round_ in (1, 2, 3):
        one = up("--data-dir", str(tmp_path / "d"))
        one.wait_for("Stop with Ctrl-C")
        send(one, 50)
        wait_until_stored(store, 50 * round_)
        assert one.stop() == 0
    assert stored_lines(store) == 150


def test_a_replay_is_judged_like_the_file(up: Start, tmp_path: Path, model: DetectionModel) -> None:
    from logwarden.detect.history import detect
    from logwarden.sources.files import read_files

    count = write_recording(tmp_path / "day")
    one = up("--data-dir", str(tmp_path / "d"), "--replay", str(tmp_path / "day"), "--speed", "max", "--once")
    assert one.end() == 0, one.text
    assert f"Replaying {count:,} of {count:,} lines" in one.text
    found = contents(tmp_path / "d" / "logwarden.db", shift=shift_of(tmp_path / "d"))
    records = []
    summary = detect(
        Detector(model, "test"), read_files([tmp_path / "day"]), [lambda outcome: records.extend(outcome.records)]
    )
    assert (found["lines"], found["units"]) == (count, summary.units)
    assert len(records) > 0
    assert sorted((r.source.host, r.category, round(r.score, 6), r.line_count) for r in records) == sorted(
        (r["source"]["host"], r["category"], round(r["score"], 6), r["line_count"]) for r in found["records"]
    )


def shift_of(data_dir: Path) -> float:
    (shift,) = json.loads((data_dir / "replays.json").read_text()).values()
    return float(shift)


def rerun_over(data_dir: Path, model: DetectionModel, store: Path) -> None:
    """Read the spool of an earlier run from its beginning into a new store."""
    with Store.open(store) as opened:
        reader = SpoolReader(data_dir / "spool")
        loop = DetectorLoop(reader, Detector(model, "test"), opened, Track.of_spool("up/test"))
        while loop.step(0):
            pass
        loop.commit()
        reader.close()


def test_the_status_tells_what_becomes_of_a_replay(up: Start, tmp_path: Path) -> None:
    write_recording(tmp_path / "day", minutes=2)
    store = tmp_path / "d" / "logwarden.db"
    options = ("--data-dir", str(tmp_path / "d"), "--replay", str(tmp_path / "day"))

    def wait_for_note(words: str, phase: Phase) -> None:
        until = time.monotonic() + SECONDS
        while (status := status_of(store)) is None or (words in status.note, status.phase) != (True, phase):
            assert time.monotonic() < until, status
            time.sleep(0.05)

    one = up(*options, "--speed", "10")
    one.wait_for("Stop with Ctrl-C")
    wait_for_note("All times are those of the replay", Phase.REPLAYING)
    wait_for_note("", Phase.LISTENING)
    assert one.stop() == 0
    again = up(*options)
    again.wait_for("Stop with Ctrl-C")
    wait_for_note("was replayed into this data folder before", Phase.LISTENING)
    assert again.stop() == 0


def test_killed_ten_times_it_ends_with_the_results_of_an_undisturbed_run(
    up: Start, tmp_path: Path, model: DetectionModel
) -> None:
    count = write_recording(tmp_path / "day")
    options = ("--replay", str(tmp_path / "day"), "--once")
    calm = up("--data-dir", str(tmp_path / "calm"), *options, "--speed", "max")
    assert calm.end() == 0, calm.text
    chance = random.Random(11)
    killed = tmp_path / "killed"
    middle = 0
    for _ in range(10):
        one = up("--data-dir", str(killed), *options, "--speed", "50")
        one.wait_for("Stop with Ctrl-C")
        time.sleep(chance.uniform(0.0, 1.2))
        one.stop(signal.SIGKILL)
        middle += 0 < stored_lines(killed / "logwarden.db") < count
    assert middle >= 5, "the kills did not fall into the replay"
    last = up("--data-dir", str(killed), *options, "--speed", "max")
    assert last.end() == 0, last.text

    rerun_over(killed, model, tmp_path / "rerun.db")
    result = contents(killed / "logwarden.db")
    assert result["lines"] == count
    assert len(result["records"]) > 0
    assert result == contents(tmp_path / "rerun.db")

    moved = contents(killed / "logwarden.db", shift=shift_of(killed))
    assert moved == contents(tmp_path / "calm" / "logwarden.db", shift=shift_of(tmp_path / "calm"))


def test_live_lines_survive_a_kill(up: Start, tmp_path: Path, model: DetectionModel) -> None:
    sent = 0
    for _ in range(3):
        one = up("--data-dir", str(tmp_path / "d"))
        url = one.wait_for(r"HTTP +(http://\S+)")[1]
        one.wait_for("Stop with Ctrl-C")
        for _ in range(10):
            body = b"".join(b"<38>Mar  1 12:00:00 srv1 sshd[7]: session %d\n" % i for i in range(200))
            sent += httpx.post(url, content=body, timeout=30).json()["accepted"]
        one.stop(signal.SIGKILL)
    one = up("--data-dir", str(tmp_path / "d"))
    wait_until_stored(tmp_path / "d" / "logwarden.db", sent)
    assert one.stop() == 0
    rerun_over(tmp_path / "d", model, tmp_path / "rerun.db")
    assert contents(tmp_path / "d" / "logwarden.db") == contents(tmp_path / "rerun.db")
    assert stored_lines(tmp_path / "rerun.db") == sent


def test_results_that_cannot_be_stored_at_the_end_are_no_success(up: Start, tmp_path: Path) -> None:
    store = tmp_path / "d" / "logwarden.db"
    one = up("--data-dir", str(tmp_path / "d"))
    one.wait_for("Stop with Ctrl-C")
    send(one, 10)
    wait_until_stored(store, 10)
    with contextlib.closing(sqlite3.connect(store)) as connection:
        connection.execute("ALTER TABLE counters RENAME TO hidden")
    send(one, 10)
    one.wait_for("trying again")
    assert one.stop() == 1
    assert "not all results are stored" in one.text
    assert "Traceback" not in one.text
    with contextlib.closing(sqlite3.connect(store)) as connection:
        connection.execute("ALTER TABLE hidden RENAME TO counters")
    again = up("--data-dir", str(tmp_path / "d"))
    wait_until_stored(store, 20)
    assert again.stop() == 0
    assert stored_lines(store) == 20


def test_a_second_signal_ends_it_at_once(up: Start, tmp_path: Path) -> None:
    count = write_recording(tmp_path / "day", minutes=60)
    one = up("--data-dir", str(tmp_path / "d"), "--replay", str(tmp_path / "day"), "--speed", "max")
    one.wait_for("Stop with Ctrl-C")
    one.process.send_signal(signal.SIGTERM)
    one.wait_for("Stopping")
    one.process.send_signal(signal.SIGTERM)
    assert one.end() in (128 + signal.SIGTERM, 0)
    assert stored_lines(tmp_path / "d" / "logwarden.db") <= count


def variant(revision_uri: str, root: Path, threshold: float) -> str:
    """Write a revision that differs in its threshold; return its id."""
    base = open_revision(revision_uri)
    files = root.parent / "variant"
    for name in base.manifest.files:
        (files / name).parent.mkdir(parents=True, exist_ok=True)
        (files / name).write_bytes((base.path / name).read_bytes())
    fitted = json.loads((files / "ensemble.json").read_text())
    (files / "ensemble.json").write_text(json.dumps(fitted | {"threshold": threshold}))
    fields = base.manifest.model_dump(mode="json", by_alias=True, exclude={"id", "digest", "files"})
    return write_revision(root, files, fields).id


def test_a_promoted_revision_takes_over_without_a_restart(up: Start, tmp_path: Path) -> None:
    root = tmp_path / "data" / "models"
    new = variant(MODEL, root, 0.0)
    one = up("--data-dir", str(tmp_path / "d"))
    one.wait_for("Stop with Ctrl-C")
    send(one, 10)
    Registry(root).promote(new)
    one.wait_for(f"Model revision {new} has taken over")
    send(one, 10, "<3>Mar  1 12:00:00 web1 kernel: Out of memory: killed process 77 (nginx)")
    wait_until_stored(tmp_path / "d" / "logwarden.db", 20)
    assert one.stop() == 0
    with Store.open(tmp_path / "d" / "logwarden.db", read_only=True) as store:
        assert ("web1", new) in {(record.source.host, record.revision) for record in store.anomalies()}
        assert store.totals().lines == 20


def test_a_broken_promotion_leaves_the_running_revision(up: Start, tmp_path: Path) -> None:
    root = tmp_path / "data" / "models"
    new = variant(MODEL, root, 0.0)
    one = up("--data-dir", str(tmp_path / "d"))
    one.wait_for("Stop with Ctrl-C")
    Registry(root).promote(new)
    (root / new / "ensemble.json").write_text("{}")
    one.wait_for("cannot be taken over")
    send(one, 10)
    wait_until_stored(tmp_path / "d" / "logwarden.db", 10)
    assert one.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_dashboard_ends_with_it(up: Start, tmp_path: Path, number: int) -> None:
    pytest.importorskip("streamlit")
    one = up("--data-dir", str(tmp_path / "d"), dashboard=True)
    url = one.wait_for(r"dashboard +(http://\S+)")[1]
    until = time.monotonic() + SECONDS
    while not answers(url):
        assert time.monotonic() < until, one.text
        time.sleep(0.2)
    one.stop(number)
    while answers(url):
        assert time.monotonic() < until + SECONDS, "the dashboard still answers"
        time.sleep(0.1)


def answers(url: str) -> bool:
    try:
        return bool(urllib.request.urlopen(url, timeout=5).status == 200)
    except OSError:
        return False


# ---------------------------------------------------------------------- wrong input


def fail(tmp_path: Path, *options: str, text: str = PIPELINE) -> str:
    """Start with wrong input; return the one message."""
    file = tmp_path / "wrong.yaml"
    file.write_text(text)
    command = [sys.executable, "-m", "logwarden", "up", "-f", str(file), "--no-dashboard", *options]
    environment = os.environ | {"LOGWARDEN_DATA_DIR": str(tmp_path / "data"), "XDG_STATE_HOME": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=SECONDS)
    assert done.returncode in (1, 2), done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.strip().splitlines()
    return line


def test_a_checked_file_is_ok(pipeline_file: Path) -> None:
    command = [sys.executable, "-m", "logwarden", "up", "-f", str(pipeline_file), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"{pipeline_file}: OK, LogPipeline test with AnomalyModel test\n"


STORAGE = '{uri: "pvc://models"}'
CLUSTER = (
    PIPELINE.replace("    http:", "    nodes: true\n    http:")
    .replace(f'"{MODEL}"}}', f'"{MODEL}"}}, unit: {{kind: Session, session: {{key: "blk_"}}}}, storage: {STORAGE}')
    .rstrip()
    + """
  kafka: {bootstrapServers: "kafka:9092"}
  store: {databaseSecretRef: {name: db, key: uri}}
  alerts: {minimumSeverity: critical}
"""
)
NOT_USED = (
    "not used on one machine: LogPipeline test spec.collect.nodes, spec.kafka, spec.store.databaseSecretRef, "
    "spec.alerts; AnomalyModel test spec.unit, spec.storage"
)


def test_fields_that_have_no_effect_are_named_by_a_check_and_at_the_start(up: Start, tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text(CLUSTER)
    command = [sys.executable, "-m", "logwarden", "up", "-f", str(file), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"{file}: OK, LogPipeline test with AnomalyModel test", NOT_USED]
    one = up("--data-dir", str(tmp_path / "d"), file=file)
    one.wait_for("Stop with Ctrl-C")
    assert NOT_USED in one.text.splitlines()
    assert one.stop() == 0


@pytest.mark.parametrize(("protocol", "name"), [("udp", "udp"), ("tcp", "tcp")])
def test_a_taken_port_is_named_with_its_field_and_its_option(tmp_path: Path, protocol: str, name: str) -> None:
    kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind((HOST, 0))
        port = taken.getsockname()[1]
        if protocol == "tcp":
            taken.listen()
        others = [f"--port={other}=0" for other in ("udp", "tcp", "http") if other != name]
        message = fail(tmp_path, f"--port={name}={port}", *others)
    assert f"port {port}/{protocol} of 127.0.0.1" in message
    assert f"spec.collect.syslog.listeners[{0 if name == 'udp' else 1}].port" in message
    assert f"--port {name}=PORT" in message


def test_one_data_folder_serves_one_process(up: Start, tmp_path: Path) -> None:
    one = up("--data-dir", str(tmp_path / "d"))
    one.wait_for("Stop with Ctrl-C")
    ports = [f"--port={name}=0" for name in ("udp", "tcp", "http")]
    message = fail(tmp_path, "--data-dir", str(tmp_path / "d"), *ports)
    assert "stop the other `logwarden up`, or choose another folder with --data-dir" in message


FREE = ("--port=udp=0", "--port=tcp=0", "--port=http=0")
WITH_TOKEN = PIPELINE.replace("port: 8080}", "port: 8080, tokenSecretRef: {name: ingest}}")
NOTHING = PIPELINE.partition("  collect:")[0] + "  detect: {modelRef: {name: test}}\n"
UNTRAINED = PIPELINE.replace(f'"{MODEL}"', "google/flan-t5-base")


@pytest.mark.parametrize(
    ("options", "text", "words"),
    [
        (("--port", "udp"), PIPELINE, "expected NAME=PORT"),
        (("--port", "udp=70000"), PIPELINE, "expected NAME=PORT"),
        (("--port", "nobody=1"), PIPELINE, "there is no 'nobody'"),
        (("--speed", "0"), PIPELINE, "expected a number above 0"),
        (("--speed", "fast"), PIPELINE, "expected a number above 0"),
        (("--once",), PIPELINE, "needs --replay"),
        (("--pipeline", "other"), PIPELINE, "has no LogPipeline other"),
        ((*FREE, "--replay", "/nowhere"), PIPELINE, "/nowhere is no recording"),
        ((*FREE, "--host", "192.0.2.1"), PIPELINE, "is no address of this machine"),
        (FREE, WITH_TOKEN, "--secrets DIR"),
        ((*FREE, "--secrets", "/nowhere"), WITH_TOKEN, "/nowhere/ingest/token cannot be read"),
        ((), NOTHING, "nothing to listen on"),
        (FREE, UNTRAINED, "has not been trained yet"),
        (("--check",), CLUSTER.replace("blk_", "blk_("), "spec.unit.session.key: found 'blk_(', allowed: a regular"),
        ((), "kind: LogPipeline", "apiVersion"),
    ],
)
def test_wrong_input_gets_one_message(tmp_path: Path, options: tuple[str, ...], text: str, words: str) -> None:
    assert words in fail(tmp_path, *options, text=text)


def test_a_token_from_a_folder_of_secrets_is_asked_for(up: Start, tmp_path: Path) -> None:
    (tmp_path / "secrets" / "ingest").mkdir(parents=True)
    (tmp_path / "secrets" / "ingest" / "token").write_text("s3cret\n")
    file = tmp_path / "with-token.yaml"
    file.write_text(WITH_TOKEN)
    one = up("--data-dir", str(tmp_path / "d"), "--secrets", str(tmp_path / "secrets"), file=file)
    url = one.wait_for(r"HTTP +(http://\S+)")[1]
    one.wait_for("Stop with Ctrl-C")
    assert httpx.post(url, content=b"a\n").status_code == 401
    assert httpx.post(url, content=b"a\n", headers={"authorization": "Bearer s3cret"}).status_code == 200
    assert "s3cret" not in one.text
    assert one.stop() == 0
