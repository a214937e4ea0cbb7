"""A Kafka, a sender of numbered lines, one detector and its store; and the account of all lines in the end."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import orjson
from confluent_kafka import Consumer, KafkaError

from benchmarks.chaos.sending import CollectorSender, ProducerSender, Sender, collecting
from benchmarks.chaos.surroundings import Disk, Network, disk, network
from logwarden.api.log_pipeline import TopicSpec
from logwarden.kafka.deadletters import distinct, read_dead_letters
from logwarden.kafka.settings import KafkaSettings
from logwarden.kafka.topics import ensure_topics
from logwarden.store import Store, StoreError
from tests.services.kafka import Broker
from tests.services.postgres import Server

SECONDS = 600.0
_PARTITIONS = 3
_PIPELINE = """
apiVersion: logwarden.dev/v1alpha1
kind: AnomalyModel
metadata: {{name: chaos}}
spec: {{base: {{model: builtin}}}}
---
apiVersion: logwarden.dev/v1alpha1
kind: LogPipeline
metadata: {{name: chaos}}
spec:
  kafka: {{bootstrapServers: "{servers}", topic: {{name: {topic}, partitions: 3, replicas: 1}}}}
  detect: {{modelRef: {{name: chaos}}, explain: false}}
"""


class Account(NamedTuple):
    """What became of the lines of one fault.

    ``twice`` are lines that came to Kafka more than once, which is allowed (``again``) for a syslog-ng that was killed,
    and for a broker whose disk was full: it may keep lines that it answers with an error, and they are sent again.
    ``dead_in_topic`` are different dead letters in Kafka.
    """

    sent: int
    in_kafka: int
    twice: int
    again: bool
    stored: int
    dead: int
    dead_in_topic: int
    lost: int

    @property
    def unaccounted(self) -> int:
        """Lines of which nobody knows, or which were counted twice."""
        known = abs(self.in_kafka + self.twice - self.stored - self.dead - self.lost)
        repeated = 0 if self.again else self.twice
        return abs(self.sent - self.in_kafka) + repeated + known + abs(self.dead - self.dead_in_topic)


class Needs(NamedTuple):
    """What a fault breaks besides Kafka and the detector."""

    collector: bool = False
    postgres: bool = False
    disk: int = 0
    network: bool = False


class World:
    """Everything that runs for one fault. ``lines`` will be sent; things stay broken for ``away`` seconds."""

    def __init__(self, folder: Path, topic: str, lines: int, away: float, needs: Needs) -> None:
        self.lines, self.away, self.sent = lines, away, 0
        self._stack = ExitStack()
        try:
            self._open(folder, topic, needs)
        except BaseException:
            self._stack.close()
            raise

    def _open(self, folder: Path, topic: str, needs: Needs) -> None:
        folder.mkdir()
        self.disk: Disk | None = None
        self.network: Network | None = None
        self.postgres: Server | None = None
        host, namespace = "127.0.0.1", None
        if needs.disk:
            self.disk = self._stack.enter_context(disk(folder / "kafka", needs.disk))
        if needs.network:
            self.network = self._stack.enter_context(network())
            host, namespace = self.network.there, self.network.name
        self.broker = Broker(folder / "kafka", host=host, namespace=namespace)
        self._stack.callback(self.broker.kill)
        self.broker.start()
        self.store: Path | str = folder / "store.db"
        if needs.postgres:
            self.postgres = Server()
            self._stack.callback(self.postgres.close)
            self.postgres.start()
            self.store = self.postgres.new_database()
        servers = self.broker.bootstrap_servers
        self.settings = KafkaSettings(
            servers, TopicSpec(name=topic, partitions=_PARTITIONS, replicas=1), "logwarden-chaos"
        )
        ensure_topics(self.settings)
        self.sender: Sender
        if needs.collector:
            self.sender = CollectorSender(folder / "syslog-ng", collecting(topic, servers), servers)
        else:
            self.sender = ProducerSender(self.settings)
        self._stack.callback(self.sender.close)
        self._file = folder / "pipeline.yaml"
        self._file.write_text(_PIPELINE.format(servers=servers, topic=topic))
        self._log = self._stack.enter_context((folder / "detector.log").open("wb"))
        self.start()
        self._stack.callback(self._end_detector)

    def start(self) -> None:
        """Start the detector."""
        command = [sys.executable, "-m", "logwarden", "run", "detector", "-f", str(self._file), "--store"]
        self.detector = subprocess.Popen([*command, str(self.store)], stderr=self._log)

    def send(self, parts: int) -> None:
        """Send one of so many equal parts of the lines, or what is left for the last one."""
        left = self.lines - self.sent
        end = self.sent + (left if left < 2 * self.lines // parts else self.lines // parts)
        self.sender.send(range(self.sent, end))
        self.sent = end

    def stored(self) -> int:
        """Return the lines that the store has counted."""
        try:
            with Store.open(self.store, read_only=True) as store:
                return store.totals().lines
        except StoreError:
            return 0

    def wait_for(self, lines: int) -> None:
        """Wait until the store has counted so many lines."""
        until = time.monotonic() + SECONDS
        while self.stored() < lines and time.monotonic() < until:
            time.sleep(0.1)

    def finish(self) -> Account:
        """Deliver and judge everything, and account for it."""
        self.sender.deliver(SECONDS)
        numbers = _numbers(self.settings)
        self.wait_for(len(numbers))
        time.sleep(2.0)  # what would be counted twice shows now
        self.detector.terminate()
        self.detector.wait()
        with Store.open(self.store, read_only=True) as store:
            stored, dead, lost = (sum(store.counters(f"{kind}/").values()) for kind in ("scored", "rejected", "lost"))
        dead_in_topic = sum(1 for _ in distinct(read_dead_letters(self.settings)))
        once = len(set(numbers))
        twice = len(numbers) - once
        again = self.sender.again or self.disk is not None
        return Account(self.sent, once, twice, again, stored, dead, dead_in_topic, lost)

    def close(self) -> None:
        """End what runs."""
        self._stack.close()

    def _end_detector(self) -> None:
        self.detector.kill()
        self.detector.wait()


def _numbers(settings: KafkaSettings) -> list[int]:
    """Return the numbers of all lines in the topic."""
    config = {"group.id": "chaos-check", "auto.offset.reset": "earliest", "enable.partition.eof": True}
    consumer = Consumer({**settings.client(), **config})
    consumer.subscribe([settings.topic.name])
    found: list[int] = []
    ended: set[int | None] = set()
    while len(ended) < _PARTITIONS:
        for message in consumer.consume(1000, timeout=1.0):
            error = message.error()
            if error is None:
                text = orjson.loads(message.value() or b"")["message"]
                found.append(int(text.split(" line ")[1].split()[0]))
            elif error.code() == KafkaError._PARTITION_EOF:
                ended.add(message.partition())
    consumer.close()
    return found
