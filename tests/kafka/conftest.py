"""Detectors as processes, and numbered lines for them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from time import monotonic, sleep

import pytest
from confluent_kafka import Consumer, Message

from logwarden.api.log_pipeline import TopicSpec
from logwarden.kafka.producer import Producer
from logwarden.kafka.settings import KafkaSettings
from logwarden.store import Store, StoreError
from tests.local.conftest import MODEL, raw_lines
from tests.services.kafka import Broker

SECONDS = 90.0

PIPELINE = """
apiVersion: logwarden.dev/v1alpha1
kind: AnomalyModel
metadata: {{name: test}}
spec: {{base: {{model: "{model}"}}}}
---
apiVersion: logwarden.dev/v1alpha1
kind: LogPipeline
metadata: {{name: {name}}}
spec:
  kafka: {{bootstrapServers: "{servers}", topic: {{name: {topic}, partitions: 3}}}}
  detect: {{modelRef: {{name: test}}, explain: false}}
"""


def settings_for(broker: Broker, topic: str) -> KafkaSettings:
    return KafkaSettings(broker.bootstrap_servers, TopicSpec(name=topic, partitions=3), "logwarden-test")


def write_pipeline(folder: Path, broker: Broker, topic: str, name: str = "test") -> Path:
    file = folder / f"{name}-{topic}.yaml"
    file.write_text(PIPELINE.format(model=MODEL, servers=broker.bootstrap_servers, topic=topic, name=name))
    return file


def wait_until(true: Callable[[], object], seconds: float = SECONDS) -> None:
    until = monotonic() + seconds
    while not true():
        assert monotonic() < until, "waited in vain"
        sleep(0.05)


@dataclass
class Running:
    """A command that runs, with what it says on standard error."""

    process: subprocess.Popen[str]
    output: list[str] = field(default_factory=list)

    def said(self, text: str) -> bool:
        return any(text in line for line in self.output)

    def read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.output.append(line)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        assert self.process.wait(SECONDS) == 0, "".join(self.output)


Start = Callable[..., Running]
Rows = Sequence[tuple[float, bytes, str]]
"""Receive time, line and sender."""


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a command line of Logwarden; what still runs at the end is killed."""
    with ExitStack() as stack:

        def begin(*args: str | Path) -> Running:
            command = [sys.executable, "-m", "logwarden", "-v", *map(str, args)]
            running = Running(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
            reader = Thread(target=running.read, daemon=True)
            reader.start()

            def end() -> None:
                running.kill()
                reader.join()
                assert running.process.stderr is not None
                running.process.stderr.close()

            stack.callback(end)
            return running

        yield begin


@pytest.fixture
def detector(start: Start) -> Start:
    """Start a detector for a file and a store."""

    def begin(file: Path, store: Path, *args: str) -> Running:
        return start("run", "detector", "-f", file, "--store", store, *args)

    return begin


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker that a test may kill."""
    broker = Broker(tmp_path / "kafka")
    broker.start()
    yield broker
    broker.stop()


def network(begin: float, minutes: int, filler: int) -> list[tuple[float, bytes, str]]:
    """Return receive time, line and sender: a small network with faults, and numbered lines of nine other hosts.

    Times begin at the whole half minute after ``begin`` and are spread over ``minutes``, in each of three partitions:
    one that falls silent goes on by the real time.
    """
    rows = raw_lines(minutes)
    shift = begin - begin % 30 + 30 - (rows[0][0] - rows[0][0] % 30)
    devices = {"r1": "10.0.0.1", "r2": "10.0.0.2", "srv1": "10.0.0.3", "dns1": "10.0.0.4"}
    found = [(at + shift, text.encode(), devices[text.split()[3]]) for at, text in rows]
    length = found[-1][0] - found[0][0]
    for number in range(filler):
        host = number % 9
        text = f"<13>f{host} app[{number}]: served number {number} of this stream"
        found.append((found[0][0] + length * number / filler, text.encode(), f"10.0.1.{host}"))
    return sorted(found)


def produce(broker: Broker, topic: str, rows: Rows) -> None:
    """Send rows, and return when Kafka has them."""
    with Producer(settings_for(broker, topic)) as producer:
        for first in range(0, len(rows), 1000):
            part = rows[first : first + 1000]
            times, lines, peers = zip(*part, strict=True)
            producer.append("udp", lines, peers, received=times)
        producer.durable().result(SECONDS)


def lines_in(store: Path) -> int:
    """Return how many lines a store has counted; 0 while it is not there."""
    try:
        with Store.open(store, read_only=True) as opened:
            return opened.totals().lines
    except StoreError:
        return 0


def read_all(broker: Broker, topic: str, count: int) -> list[Message]:
    """Return messages of a topic: at least ``count``, and then until no more come."""
    consumer = Consumer(
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "group.id": f"read-{topic}",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([topic])
    found: list[Message] = []
    until = monotonic() + SECONDS
    while monotonic() < until:
        some = [message for message in consumer.consume(1000, timeout=1.0) if message.error() is None]
        if len(found) >= count and not some:
            break
        found += some
    consumer.close()
    return found
