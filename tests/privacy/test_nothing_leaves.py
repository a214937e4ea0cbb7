"""No masked value leaves: by Kafka, files, the store, logs, metrics, alerts or calls of a language model."""

from __future__ import annotations

import json
import socket
import time
import urllib.request
from functools import partial
from pathlib import Path

import pytest

from logwarden.api.load import load_resources
from logwarden.api.log_pipeline import LogPipeline
from logwarden.kafka.producer import Producer
from logwarden.local.privacy import at_collection, privacy_of
from logwarden.store import Store
from tests.kafka.conftest import SECONDS, lines_in, read_all, settings_for, wait_until
from tests.kafka.conftest import Start as StartCommand
from tests.kafka.conftest import detector as detector
from tests.kafka.conftest import start as start
from tests.local.conftest import Start, write_recording
from tests.local.conftest import up as up
from tests.services.kafka import Broker

from .conftest import PIPELINE, Receiver, leaks, sensitive_rows

PEER = "198.51.100.77"


@pytest.fixture
def secrets(tmp_path: Path, receiver: Receiver) -> Path:
    """A folder with the key, and the address of the webhook."""
    folder = tmp_path / "secrets"
    values = {"privacy/key": "0123456789abcdef0123456789abcdef", "hook/url": f"{receiver.url}/hook?token=t0ps3cret"}
    for name, value in values.items():
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(f"{value}\n")
    return folder


@pytest.fixture
def pipeline_file(tmp_path: Path, receiver: Receiver) -> Path:
    """A pipeline without Kafka."""
    path = tmp_path / "pipeline.yaml"
    path.write_text(PIPELINE.format(url=receiver.url, kafka="", at="Collection"))
    return path


def bytes_in(folder: Path) -> bytes:
    """Return all bytes of all files below a folder, secrets aside."""
    return b"\0".join(file.read_bytes() for file in folder.rglob("*") if file.is_file() and "secrets" not in file.parts)


def explained(receiver: Receiver) -> list[bytes]:
    return receiver.of("/chat/completions")


def test_on_one_machine(up: Start, tmp_path: Path, secrets: Path, receiver: Receiver) -> None:
    running = up("--data-dir", str(tmp_path / "data"), "--secrets", str(secrets))
    running.wait_for("Stop with Ctrl-C")
    lines = [text for _, text in sensitive_rows()]
    with socket.create_connection(("127.0.0.1", running.port("syslog TCP"))) as sock:
        sock.sendall("".join(f"{line}\n" for line in lines).encode())
    with socket.create_connection(("127.0.0.1", running.port("syslog TCP"))) as sock:
        sock.sendall(b"99 <13>cut off, user=mallory from 203.0.113.9")  # malformed: rejected, with its text
    store = tmp_path / "data" / "logwarden.db"
    wait_until(lambda: lines_in(store) == len(lines) + 1)
    body = b"<13>h app: user=mallory password=hunter2xyz from 203.0.113.9 not-json"
    url = f"http://127.0.0.1:{running.wait_for(r'HTTP .*:([0-9]+)/v1/logs')[1]}/v1/logs"
    with urllib.request.urlopen(urllib.request.Request(url, body), timeout=SECONDS) as answer:
        assert answer.status == 200
    wait_until(lambda: lines_in(store) == len(lines) + 2)
    assert running.stop() == 0
    with Store.open(store, read_only=True) as opened:
        assert opened.anomalies()
        assert "user-" in opened.rejected()[0].text
    assert explained(receiver)
    assert leaks(bytes_in(tmp_path / "data"), running.text.encode(), *(body for _, body in receiver.taken)) == []


def test_while_a_recording_is_replayed(up: Start, tmp_path: Path, secrets: Path) -> None:
    write_recording(tmp_path / "day")
    running = up("--secrets", str(secrets), "--replay", str(tmp_path / "day"), "--speed", "1")
    running.wait_for("Stop with Ctrl-C")
    with socket.create_connection(("127.0.0.1", running.port("syslog TCP"))) as sock:
        sock.sendall(b"<13>Mar  1 12:00:00 r2 vault[7]: beside the replay: user=mallory password=hunter2xyz\n")
    wait_until(lambda: b"beside the replay" in bytes_in(tmp_path / "data" / "spool"))
    assert running.stop() == 0
    assert leaks(bytes_in(tmp_path / "data")) == []


@pytest.mark.kafka
@pytest.mark.parametrize("at", ["Collection", "Detection"])
def test_through_kafka(
    at: str, broker: Broker, detector: StartCommand, tmp_path: Path, secrets: Path, receiver: Receiver
) -> None:
    topic = f"private-{at.lower()}"
    file = tmp_path / "pipeline.yaml"
    kafka = f'kafka: {{bootstrapServers: "{broker.bootstrap_servers}", topic: {{name: {topic}, partitions: 3}}}}'
    file.write_text(PIPELINE.format(url=receiver.url, kafka=kafka, at=at))
    store, options = tmp_path / "out" / "store.db", ("--secrets", str(secrets), "--metrics-port", "0")
    store.parent.mkdir()
    running = detector(file, store, *options)
    wait_until(lambda: running.said("reading on at offset"))
    rows = sensitive_rows()
    shift = time.time() - rows[-1][0] - 60
    (pipeline,) = (one for one in load_resources(file) if isinstance(one, LogPipeline))
    with Producer(settings_for(broker, topic)) as producer:
        intake = at_collection(pipeline, privacy_of(pipeline, secrets), producer)
        if at == "Collection":
            intake.append("udp", [text.encode() for _, text in rows], PEER)
        else:
            producer.append("udp", [text.encode() for _, text in rows], PEER, received=[at + shift for at, _ in rows])
        intake.append("udp", [b"half a line of user=mallory at 203.0.113.9"], PEER, reason=f"{PEER} went away")
        intake.durable().result(SECONDS)
    wait_until(lambda: lines_in(store) == len(rows) + 1)
    wait_until(partial(explained, receiver))
    address = next(line.split()[1] for line in running.output if "metrics  http" in line)
    with urllib.request.urlopen(address, timeout=10) as answer:
        metrics = answer.read()
    running.stop()  # sends alerts once more
    raw, records, dead = (
        [b"%b %b %b" % (one.key() or b"", one.value() or b"", repr(one.headers()).encode()) for one in messages]
        for messages in (
            read_all(broker, topic, len(rows) + 1),
            read_all(broker, f"{topic}-anomalies", 1),
            read_all(broker, f"{topic}.dlq", 1),
        )
    )
    assert records
    assert b"user-" in dead[0]
    assert receiver.of("/api/v2/alerts")
    told = [json.loads(body) for body in receiver.of("/hook")]
    assert {"case", "failure"} <= {one["kind"] for one in told}
    assert "user-" in next(one["failure"]["sample"] for one in told if one["kind"] == "failure")
    sent = [body for _, body in receiver.taken]
    output = "".join(running.output).encode()
    assert b"t0ps3cret" not in output
    assert b"could not be processed: stage read" in output
    assert leaks(*records, *dead, *sent, metrics, output, bytes_in(store.parent)) == []
    assert bool(leaks(*raw)) == (at == "Detection"), "as told, the topic of raw logs holds lines as they came"
