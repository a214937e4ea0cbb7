"""Break things while numbered lines flow through Kafka, and account for every one: ``python -m benchmarks.chaos``.

Each fault gets a topic and a store of its own. In the end every line that was sent has to be in Kafka once, and every
offset of the topic has to be counted once in the store: as stored, as a dead letter, or as lost at a named place.
"""

from __future__ import annotations

import argparse
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import orjson
from confluent_kafka import Consumer, KafkaError
from rich.console import Console
from rich.table import Table

from logwarden.api.log_pipeline import TopicSpec
from logwarden.kafka.deadletters import read_dead_letters
from logwarden.kafka.producer import Producer
from logwarden.kafka.settings import KafkaSettings
from logwarden.kafka.topics import ensure_topics
from logwarden.store import Store, StoreError
from tests.services.kafka import Broker

_PARTITIONS = 3
_DEVICES = 20
_BROKEN_EVERY = 1000
_SECONDS = 600.0
_KILLS = 10
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
    """What became of the lines of one fault."""

    sent: int
    in_kafka: int
    twice_in_kafka: int
    stored: int
    dead: int
    dead_in_topic: int
    lost: int

    @property
    def unaccounted(self) -> int:
        """Lines of which nobody knows, or which were counted twice."""
        known = abs(self.in_kafka - self.stored - self.dead - self.lost)
        return abs(self.sent - self.in_kafka) + self.twice_in_kafka + known + abs(self.dead - self.dead_in_topic)


class _Clock:
    """The collector's clock, which may be set."""

    shift = 0.0

    def now(self) -> float:
        return time.time() + self.shift


class World:
    """A broker, a sender of numbered lines, and one detector."""

    def __init__(self, folder: Path, topic: str, lines: int) -> None:
        folder.mkdir()
        self.lines = lines
        self.store = folder / "store.db"
        self.broker = Broker(folder / "kafka")
        self.broker.start()
        self.settings = KafkaSettings(
            self.broker.bootstrap_servers, TopicSpec(name=topic, partitions=_PARTITIONS, replicas=1), "logwarden-chaos"
        )
        ensure_topics(self.settings)
        self.clock = _Clock()
        self.producer = Producer(self.settings, clock=self.clock)
        self.producer.__enter__()
        self.sent = 0
        self._file = folder / "pipeline.yaml"
        self._file.write_text(_PIPELINE.format(servers=self.broker.bootstrap_servers, topic=topic))
        self._log = (folder / "detector.log").open("wb")
        self.start()

    def start(self) -> None:
        """Start the detector."""
        command = [sys.executable, "-m", "logwarden", "run", "detector", "-f", str(self._file), "--store"]
        self.detector = subprocess.Popen([*command, str(self.store)], stderr=self._log)

    def send(self, parts: int) -> None:
        """Send one of so many equal parts of the lines, or what is left for the last one."""
        left = self.lines - self.sent
        end = self.sent + (left if left < 2 * self.lines // parts else self.lines // parts)
        while self.sent < end:
            if self.producer.crowded:
                time.sleep(0.05)
                continue
            numbers = range(self.sent, min(self.sent + 500, end))
            good = [number for number in numbers if number % _BROKEN_EVERY]
            broken = [number for number in numbers if not number % _BROKEN_EVERY]
            for chosen, reason in ((good, ""), (broken, "broken on purpose")):
                peers = [f"10.0.0.{number % _DEVICES}" for number in chosen]
                self.producer.append("chaos", [_line(number) for number in chosen], peers, reason=reason)
            self.sent = numbers[-1] + 1

    def stored(self) -> int:
        """Return the lines that the store has counted."""
        try:
            with Store.open(self.store, read_only=True) as store:
                return store.totals().lines
        except StoreError:
            return 0

    def wait_for(self, lines: int) -> None:
        """Wait until the store has counted so many lines."""
        until = time.monotonic() + _SECONDS
        while self.stored() < lines and time.monotonic() < until:
            time.sleep(0.1)

    def finish(self) -> Account:
        """Deliver and judge everything, and account for it."""
        self.producer.durable().result(_SECONDS)
        self.wait_for(self.sent)
        time.sleep(2.0)  # what would be counted twice shows now
        self.detector.terminate()
        self.detector.wait()
        numbers = _numbers(self.settings)
        with Store.open(self.store, read_only=True) as store:
            stored, dead, lost = (sum(store.counters(f"{kind}/").values()) for kind in ("scored", "rejected", "lost"))
        dead_in_topic = sum(1 for _ in read_dead_letters(self.settings))
        once = len(set(numbers))
        return Account(self.sent, once, len(numbers) - once, stored, dead, dead_in_topic, lost)

    def close(self) -> None:
        """End what runs."""
        self.detector.kill()
        self.detector.wait()
        self._log.close()
        self.producer.close(5.0)
        self.broker.stop()


def _line(number: int) -> bytes:
    return b"<13>h%d app[7]: numbered line %d of many" % (number % _DEVICES, number)


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


# ---------------------------------------------------------------------- faults


def nothing(world: World, away: float) -> None:
    """Break nothing."""
    world.send(1)


def kill_detector(world: World, away: float) -> None:
    """Kill the detector again and again, each time after it has stored something more."""
    for _ in range(_KILLS):
        before = world.stored()
        world.send(_KILLS + 1)
        world.wait_for(before + 1)
        world.detector.kill()
        world.detector.wait()
        world.start()
    world.send(1)


def freeze_detector(world: World, away: float) -> None:
    """Freeze a detector until another one has its partitions, then let it go on."""
    world.send(3)
    world.wait_for(1)
    world.detector.send_signal(signal.SIGSTOP)
    frozen = world.detector
    world.send(3)
    world.start()
    world.wait_for(world.lines // 2)
    frozen.send_signal(signal.SIGCONT)
    world.send(1)
    time.sleep(5.0)
    frozen.terminate()
    frozen.wait()


def kill_kafka(world: World, away: float) -> None:
    """Kill Kafka, and start it again after a while, during which lines come."""
    world.send(3)
    world.wait_for(1)
    world.broker.kill()
    world.send(3)
    time.sleep(away)
    world.broker.start()
    world.send(1)


def lock_store(world: World, away: float) -> None:
    """Let something else hold the store's write lock for longer than a detector waits."""
    world.send(3)
    world.wait_for(1)
    with sqlite3.connect(world.store, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        world.send(3)
        time.sleep(max(away / 2, 25.0))
        other.execute("ROLLBACK")
    other.close()
    world.send(1)


def set_clock_back(world: World, away: float) -> None:
    """Set the collector's clock back by an hour in the middle of the stream."""
    world.send(2)
    world.clock.shift = -3600.0
    world.send(1)


FAULTS: dict[str, Callable[[World, float], None]] = {
    "none": nothing,
    "detector-killed": kill_detector,
    "detector-frozen": freeze_detector,
    "kafka-killed": kill_kafka,
    "store-locked": lock_store,
    "clock-set-back": set_clock_back,
}


def main() -> int:
    """Run the faults; return 1 if a line is unaccounted for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__)
    parser.add_argument("--lines", type=int, default=200_000, help="numbered lines for each fault (default 200000)")
    parser.add_argument("--away", type=float, default=60.0, help="seconds for which Kafka is away (default 60)")
    parser.add_argument("--only", choices=FAULTS, action="append", help="only this fault; may be repeated")
    options = parser.parse_args()
    accounts: dict[str, Account] = {}
    with tempfile.TemporaryDirectory(prefix="logwarden-chaos-") as folder:
        for name in options.only or FAULTS:
            print(f"{name} ...", file=sys.stderr)
            world = World(Path(folder, name), f"chaos-{name}", options.lines)
            try:
                FAULTS[name](world, options.away)
                accounts[name] = world.finish()
            finally:
                world.close()
    _print(accounts)
    return int(any(account.unaccounted for account in accounts.values()))


def _print(accounts: dict[str, Account]) -> None:
    table = Table("fault", "sent", "stored", "dead letters", "lost where", "unaccounted")
    for name, account in accounts.items():
        lost = f"{account.lost:,} removed by Kafka unread" if account.lost else "-"
        numbers = (f"{number:,}" for number in (account.sent, account.stored, account.dead))
        table.add_row(name, *numbers, lost, f"{account.unaccounted:,}")
    for column in (1, 2, 3, 5):
        table.columns[column].justify = "right"
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
