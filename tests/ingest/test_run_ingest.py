"""``logwarden run ingest`` as a process, with a real Kafka that goes away and comes back."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from confluent_kafka import Consumer

from logwarden.kafka import envelope
from tests.services.kafka import Broker

pytestmark = pytest.mark.kafka

SECONDS = 90.0
PIPELINE = """
apiVersion: logwarden.dev/v1alpha1
kind: AnomalyModel
metadata: {name: m}
spec: {}
---
apiVersion: logwarden.dev/v1alpha1
kind: LogPipeline
metadata: {name: p}
spec:
  collect:
    http: {enabled: true, tokenSecretRef: {name: ingest}}
  kafka:
    bootstrapServers: 127.0.0.1:1
    topic: {name: TOPIC, partitions: 3, replicas: 1}
  detect: {modelRef: {name: m}}
"""


class Process:
    """A running ``logwarden run ingest`` on free ports."""

    def __init__(self, folder: Path, broker: Broker, topic: str) -> None:
        secret = folder / "secrets" / "ingest" / "token"
        secret.parent.mkdir(parents=True)
        secret.write_text("edge=s3cret-of-edge\nlab=s3cret-of-lab\n")
        self.secret = secret
        file = folder / "pipeline.yaml"
        file.write_text(PIPELINE.replace("TOPIC", topic))
        options = ["--port", "0", "--metrics-port", "0", "--host", "127.0.0.1", "--secrets", str(folder / "secrets")]
        options += ["--bootstrap-servers", broker.bootstrap_servers]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "logwarden", "-vv", "run", "ingest", "-f", str(file), *options],
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"LOGWARDEN_DATA_DIR": str(folder / "data")},
        )
        self.output: list[str] = []
        assert self.process.stderr is not None
        threading.Thread(target=lambda: self.output.extend(iter(self.process.stderr.readline, "")), daemon=True).start()
        self.url = "http://127.0.0.1:" + self.wait_for(r"lines +http://[^:]+:(\d+)/")
        self.metrics = self.wait_for(r"metrics +(\S+)")

    @property
    def text(self) -> str:
        """What it has printed."""
        return "".join(self.output)

    def wait_for(self, pattern: str) -> str:
        """Wait until it prints something; return the first group."""
        until = time.monotonic() + SECONDS
        while not (found := re.search(pattern, self.text)):
            assert time.monotonic() < until, self.text
            assert self.process.poll() is None, self.text
            time.sleep(0.05)
        return found[1]

    def post(self, body: str, token: str = "s3cret-of-edge", **headers: str) -> httpx.Response:
        """Send lines of text."""
        return httpx.post(
            f"{self.url}/v1/logs", content=body, timeout=60, headers={"authorization": f"Bearer {token}", **headers}
        )

    def wait_until_ready(self, ready: bool = True) -> None:
        """Wait for /readyz."""
        until = time.monotonic() + SECONDS
        while (httpx.get(f"{self.url}/readyz", timeout=20).status_code == 200) is not ready:
            assert time.monotonic() < until, self.text
            time.sleep(0.2)


Start = Callable[[Broker, str], Process]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[Process] = []

    def begin(broker: Broker, topic: str) -> Process:
        running.append(Process(tmp_path, broker, topic))
        return running[-1]

    yield begin
    for one in running:
        one.process.kill()
        one.process.wait()
        if one.process.stderr is not None:
            one.process.stderr.close()


def read_topic(broker: Broker, topic: str) -> list[envelope.Line]:
    """All lines of a topic."""
    consumer = Consumer(
        {"bootstrap.servers": broker.bootstrap_servers, "group.id": topic, "auto.offset.reset": "earliest"}
        | {"enable.partition.eof": True}
    )
    consumer.subscribe([topic])
    lines, ended, until = [], set(), time.monotonic() + SECONDS
    while len(ended) < 3:
        assert time.monotonic() < until
        for message in consumer.consume(500, timeout=1.0):
            if message.error() is not None:
                ended.add(message.partition())
            else:
                lines.append(envelope.decode(message.value(), key=message.key(), written=0.0))
    consumer.close()
    return lines


def test_lines_are_in_kafka_when_it_answers(broker: Broker, start: Start) -> None:
    ingest = start(broker, "ingest-answers")
    ingest.wait_until_ready()
    answer = ingest.post("<13>Oct  1 00:00:00 r1 app: a\n<13>Oct  1 00:00:01 r2 app: b")
    assert (answer.status_code, answer.json()) == (200, {"accepted": 2, "rejected": 0})
    lines = read_topic(broker, "ingest-answers")
    assert sorted(line.text[-6:] for line in lines) == ["app: a", "app: b"]
    assert {(line.peer, line.listener) for line in lines} == {("127.0.0.1", "http")}
    metrics = httpx.get(ingest.metrics).text
    assert 'logwarden_ingest_lines_total{pipeline="p",protocol="lines",sender="edge"} 2.0' in metrics
    assert 'logwarden_ingest_sink_lines_total{pipeline="p",stage="acknowledged"} 2.0' in metrics


def test_tokens_change_without_a_restart_and_are_never_told(broker: Broker, start: Start) -> None:
    ingest = start(broker, "ingest-tokens")
    ingest.wait_until_ready()
    assert ingest.post("a", token="s3cret-of-lab").status_code == 200
    assert ingest.post("a", token="new-s3cret").status_code == 401
    new = ingest.secret.with_name("new")
    new.write_text("edge=s3cret-of-edge\nedge=new-s3cret\n")
    new.replace(ingest.secret)
    until = time.monotonic() + SECONDS
    while ingest.post("a", token="new-s3cret").status_code != 200:
        assert time.monotonic() < until
        time.sleep(0.2)
    assert ingest.post("a", token="s3cret-of-edge").status_code == 200
    assert ingest.post("a", token="s3cret-of-lab").status_code == 401
    ingest.process.send_signal(signal.SIGTERM)
    assert ingest.process.wait(SECONDS) == 0
    assert "s3cret-" not in ingest.text
    assert "-s3cret" not in ingest.text
    assert "has changed: 2 tokens" in ingest.text


def test_nothing_acknowledged_is_lost_while_kafka_dies_and_comes_back(tmp_path: Path, start: Start) -> None:
    broker = Broker(tmp_path / "kafka")
    broker.start()
    try:
        ingest = start(broker, "ingest-outage")
        ingest.wait_until_ready()
        acknowledged: set[str] = set()
        statuses: list[int] = []
        stop = threading.Event()

        def send() -> None:
            number = 0
            while not stop.is_set():
                lines = [f"line {number + place} of the outage" for place in range(20)]
                answer = ingest.post("\n".join(lines), **{"idempotency-key": f"k{number}"})
                statuses.append(answer.status_code)
                if answer.status_code == 200:
                    acknowledged.update(lines)
                    number += 20
                else:
                    assert answer.status_code == 503
                    assert int(answer.headers["retry-after"]) > 0
                    assert "Kafka at" in answer.json()["error"]
                    time.sleep(0.5)

        sender = threading.Thread(target=send)
        sender.start()
        wait_for(lambda: len(acknowledged) >= 200)
        broker.kill()
        wait_for(lambda: statuses.count(503) >= 2)
        ingest.wait_until_ready(False)
        assert httpx.get(f"{ingest.url}/healthz").status_code == 200
        broker.start()
        before = len(acknowledged)
        wait_for(lambda: len(acknowledged) >= before + 200)
        stop.set()
        sender.join()
        ingest.wait_until_ready()
        ingest.process.send_signal(signal.SIGTERM)
        assert ingest.process.wait(SECONDS) == 0
        texts = [line.text for line in read_topic(broker, "ingest-outage")]
    finally:
        broker.stop()
    assert acknowledged <= set(texts)
    assert len(texts) == len(set(texts)), "requests with a key are taken once"


def test_it_starts_before_kafka_does(tmp_path: Path, start: Start) -> None:
    broker = Broker(tmp_path / "kafka")  # formatted, not started
    try:
        ingest = start(broker, "ingest-early")
        answer = ingest.post("too early")
        assert (answer.status_code, "Kafka at" in answer.json()["error"]) == (503, True)
        broker.start()
        ingest.wait_until_ready()
        assert ingest.post("in time").status_code == 200
        assert [line.text for line in read_topic(broker, "ingest-early")] == ["in time"]
    finally:
        broker.stop()


def test_it_does_not_start_open_to_everybody(tmp_path: Path) -> None:
    file = tmp_path / "pipeline.yaml"
    file.write_text(PIPELINE.replace(", tokenSecretRef: {name: ingest}", "").replace("TOPIC", "t"))
    command = [sys.executable, "-m", "logwarden", "--log-format", "json", "run", "ingest", "-f", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert done.returncode == 2
    assert "spec.collect.http.tokenSecretRef" in json.loads(done.stderr)["message"]


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.1)
