"""Senders of numbered lines: straight into Kafka as ingest does, or over TCP to a real syslog-ng."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Protocol

from logwarden.api.log_pipeline import LogPipeline
from logwarden.kafka.producer import Producer
from logwarden.kafka.settings import KafkaSettings
from tests.services.ports import free_port
from tests.services.syslog_ng import Collector

DEVICES = 20
_BROKEN_EVERY = 1000
_BATCH = 500


class Clock:
    """The collector's clock, which may be set."""

    shift = 0.0

    def now(self) -> float:
        """Return Unix seconds."""
        return time.time() + self.shift


class Sender(Protocol):
    """Sends numbered lines."""

    again: bool
    """Whether a line may come to Kafka twice, when what sends it was killed."""

    def send(self, numbers: range) -> None:
        """Send lines."""
        ...

    def deliver(self, seconds: float) -> None:
        """Return when Kafka has all lines."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class ProducerSender:
    """Logwarden's own producer; every thousandth line is broken."""

    again = False

    def __init__(self, settings: KafkaSettings) -> None:
        self.clock = Clock()
        self._producer = Producer(settings, clock=self.clock)
        self._producer.__enter__()

    def send(self, numbers: range) -> None:
        """See :class:`Sender`."""
        for first in range(numbers.start, numbers.stop, _BATCH):
            while self._producer.crowded:
                time.sleep(0.05)
            part = range(first, min(first + _BATCH, numbers.stop))
            good = [number for number in part if number % _BROKEN_EVERY]
            broken = [number for number in part if not number % _BROKEN_EVERY]
            for chosen, reason in ((good, ""), (broken, "broken on purpose")):
                peers = [f"10.0.0.{number % DEVICES}" for number in chosen]
                self._producer.append("chaos", [line(number) for number in chosen], peers, reason=reason)

    def deliver(self, seconds: float) -> None:
        """See :class:`Sender`."""
        self._producer.durable().result(seconds)

    def close(self) -> None:
        """See :class:`Sender`."""
        self._producer.close(5.0)


class CollectorSender:
    """A syslog-ng that devices send to over TCP, one connection each."""

    again = True

    def __init__(self, folder: Path, pipeline: LogPipeline, bootstrap_servers: str) -> None:
        self._port = pipeline.spec.collect.syslog.listeners[0].port
        self.collector = Collector(folder, pipeline, bootstrap_servers)
        self.collector.start()

    def send(self, numbers: range) -> None:
        """See :class:`Sender`. TCP has no receipt: it waits until syslog-ng has taken what was sent."""
        before = self._taken()
        for device in range(DEVICES):
            mine = b"".join(line(number) + b"\n" for number in numbers if number % DEVICES == device)
            with socket.create_connection(("127.0.0.1", self._port), source_address=(f"127.0.1.{device}", 0)) as sock:
                sock.sendall(mine)
        until = time.monotonic() + 600.0
        while self._taken() < before + len(numbers):
            if time.monotonic() > until:
                raise RuntimeError(f"syslog-ng took {self._taken() - before} of {len(numbers)} lines")
            time.sleep(0.05)

    def deliver(self, seconds: float) -> None:
        """See :class:`Sender`."""
        until = time.monotonic() + seconds
        while self.collector.stats().queued:
            if time.monotonic() > until:
                raise RuntimeError(
                    f"{self.collector.stats().queued} lines wait in syslog-ng\n{self.collector.log[-2000:]}"
                )
            time.sleep(0.2)

    def close(self) -> None:
        """See :class:`Sender`."""
        self.collector.stop()

    def _taken(self) -> int:
        return sum(self.collector.stats().received.values())


def collecting(topic: str, bootstrap_servers: str) -> LogPipeline:
    """Return a pipeline with one TCP listener."""
    return LogPipeline.model_validate(
        {
            "apiVersion": "logwarden.dev/v1alpha1",
            "kind": "LogPipeline",
            "metadata": {"name": "chaos"},
            "spec": {
                "collect": {"syslog": {"listeners": [{"name": "chaos", "transport": "TCP", "port": free_port()}]}},
                "kafka": {"bootstrapServers": bootstrap_servers, "topic": {"name": topic}},
                "detect": {"modelRef": {"name": "chaos"}},
            },
        }
    )


def line(number: int) -> bytes:
    """Return a numbered line."""
    return b"<13>h%d app[7]: numbered line %d of many" % (number % DEVICES, number)
