"""Lines at a fixed rate through the whole way: devices, syslog-ng, Kafka, detector, store."""

from __future__ import annotations

import socket
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.detecting import PARTITIONS, RunningDetector, detector, quantile, wait
from benchmarks.traffic import Received
from logwarden.api.log_pipeline import LogPipeline
from tests.services.kafka import Broker
from tests.services.ports import free_port
from tests.services.syslog_ng import Collector

RATE = 15_000
"""Lines per second."""

_TOPIC = "paced"
_PAUSE = 0.02
_SAMPLE_SECONDS = 10.0
_WARM_SECONDS = 30.0


class _Devices:
    """One TCP connection per device, from an address of its own, so that the collector tells them apart."""

    def __init__(self, peers: Sequence[str], port: int, stack: ExitStack) -> None:
        addresses = {peer: f"127.0.1.{number}" for number, peer in enumerate(sorted(set(peers)), 1)}
        self._sockets = {
            peer: stack.enter_context(socket.create_connection(("127.0.0.1", port), source_address=(address, 0)))
            for peer, address in addresses.items()
        }

    def send(self, lines: Sequence[Received]) -> None:
        """Send each line on its device's connection; waits where the collector does not take more."""
        by_peer: defaultdict[str, list[bytes]] = defaultdict(list)
        for one in lines:
            by_peer[one.peer].append(one.line.encode("utf-8", "surrogateescape") + b"\n")
        for peer, parts in by_peer.items():
            self._sockets[peer].sendall(b"".join(parts))


def through_syslog_ng(
    broker: Broker, model: str, traffic: list[Received], folder: Path, seconds: int
) -> dict[str, Any]:
    """Send a second's traffic again and again for so many seconds.

    Returns
    -------
    dict
        Quantiles of the time from receive to stored, of all lines and of those after the first half minute, in which
        the language model reads most texts for the first time; the lines lost on the way; resident memory of the
        detector after a tenth of the time and at the end.
    """
    broker.create_topic(_TOPIC, PARTITIONS)
    port = free_port()
    collector = Collector(folder / "collector", _pipeline(broker.bootstrap_servers, port), broker.bootstrap_servers)
    servers, store = broker.bootstrap_servers, folder / "paced.db"
    with ExitStack() as stack:
        stack.callback(collector.stop)
        collector.start()
        running = stack.enter_context(detector(servers, _TOPIC, model, store))
        devices = _Devices([one.peer for one in traffic], port, stack)
        devices.send(traffic[:1])
        wait(1, running)
        pace = _Pace(running, traffic, devices)
        pace.send(seconds)
        wait(pace.sent, running)
        after, stats = running.metrics(), collector.stats()
    return {
        f"p50_seconds_at_{RATE}": quantile(pace.before, after, 0.5),
        f"p99_seconds_at_{RATE}": quantile(pace.before, after, 0.99),
        "p99_seconds_when_warm": quantile(pace.warm, after, 0.99),
        "paced_lines_per_second": round(pace.sent / pace.took),
        "paced_seconds": seconds,
        "paced_lines": pace.sent,
        "paced_received": sum(stats.received.values()),
        "paced_dropped": stats.dropped,
        "paced_stored": int(sum(value for name, value in after.items() if name.startswith("logwarden_lines_stored"))),
        "paced_rss_mib": pace.memory,
    }


class _Pace:
    """Keeps to the rate, and looks at the detector now and then."""

    def __init__(self, running: RunningDetector, traffic: list[Received], devices: _Devices) -> None:
        self.sent, self.took = 1, 0.0
        self.before = self.warm = running.metrics()
        self.memory: list[int] = []
        """MiB, every ten seconds."""
        self._running, self._traffic, self._devices = running, traffic, devices

    def send(self, seconds: int) -> None:
        """Send for so many seconds."""
        started = time.perf_counter()
        sampled = started
        warm = min(_WARM_SECONDS, seconds / 2)
        while self.sent < RATE * seconds:
            now = time.perf_counter()
            due = min(int((now - started) * RATE), RATE * seconds)
            if due > self.sent:
                self._devices.send([self._traffic[number % len(self._traffic)] for number in range(self.sent, due)])
                self.sent = due
            if now - sampled >= _SAMPLE_SECONDS:
                sampled = now
                self.memory.append(round(self._running.resident_mib()))
            if self.warm is self.before and now - started >= warm:
                self.warm = self._running.metrics()
            time.sleep(_PAUSE)
        self.took = time.perf_counter() - started


def _pipeline(servers: str, port: int) -> LogPipeline:
    listener = {"name": "tcp", "transport": "TCP", "port": port, "framing": "Newline"}
    return LogPipeline.model_validate(
        {
            "apiVersion": "logwarden.dev/v1alpha1",
            "kind": "LogPipeline",
            "metadata": {"name": "bench", "namespace": "bench"},
            "spec": {
                "collect": {"syslog": {"listeners": [listener]}},
                "kafka": {"bootstrapServers": servers, "topic": {"name": _TOPIC}},
                "detect": {"modelRef": {"name": "bench"}},
            },
        }
    )
