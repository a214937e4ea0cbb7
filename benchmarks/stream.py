"""From Kafka to the store, beside a consumer that does nothing; and the latency at a fixed rate."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.process import measure_module
from benchmarks.traffic import Received, repeat
from logwarden.api.log_pipeline import TopicSpec
from logwarden.kafka.producer import Producer
from logwarden.kafka.settings import KafkaSettings
from tests.services.kafka import Broker
from tests.services.ports import free_port

Values = dict[str, Any]
RATE = 15_000
_PARTITIONS = 3
_PART = 5000
_SECONDS = 600.0
_PIPELINE = """
apiVersion: logwarden.dev/v1alpha1
kind: AnomalyModel
metadata: {{name: bench}}
spec: {{base: {{model: "{model}"}}}}
---
apiVersion: logwarden.dev/v1alpha1
kind: LogPipeline
metadata: {{name: bench}}
spec:
  kafka: {{bootstrapServers: "{servers}", topic: {{name: {topic}, partitions: {partitions}, replicas: 1}}}}
  detect: {{modelRef: {{name: bench}}, explain: false}}
"""


@dataclass
class RunningDetector:
    """A detector process, seen from outside."""

    process: subprocess.Popen[bytes]
    port: int

    def metrics(self) -> dict[str, float]:
        """Return all samples by name and labels; none while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=30) as answer:
                text = answer.read().decode()
        except (urllib.error.URLError, ConnectionError):
            return {}
        rows = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in rows}

    def stored(self) -> int:
        """Return the lines that were stored."""
        return int(sum(value for name, value in self.metrics().items() if name.startswith("logwarden_lines_stored")))

    def peak_mib(self) -> float:
        """Return the largest resident memory so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        return int(found[1]) / 1024 if found else 0.0

    def wait(self, lines: int) -> tuple[float, int]:
        """Wait until ``lines`` are stored; return the time and the number at the end."""
        until = time.monotonic() + _SECONDS
        while (stored := self.stored()) < lines:
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the detector stored {stored} of {lines} lines")
            time.sleep(0.05)
        return time.perf_counter(), stored


def kafka_to_store(recording: Path, model: str, lines: int, runs: int, seconds: int) -> Values:
    """Return the values of the benchmark; see benchmarks/README.md."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = Broker(folder / "kafka")
        broker.start()
        try:
            _fill(broker, "repeated", repeat(recording, lines), lines)
            pairs = [
                (_through(broker, "repeated", model, folder / f"{number}.db", lines), _alone(broker, "repeated", lines))
                for number in range(runs)
            ]
            paced = _paced(broker, model, list(repeat(recording, RATE)), folder / "paced.db", seconds)
        finally:
            broker.stop()
    ours = sorted(one["lines_per_second"] for one, _ in pairs)[runs // 2]
    raw = sorted(one["lines_per_second"] for _, one in pairs)[runs // 2]
    return {
        "lines": lines,
        "kafka_to_store_lines_per_second": ours,
        "raw_consume_lines_per_second": raw,
        "ratio": round(ours / raw, 3),
        **paced,
        "detector_rss_mib": max(one["peak_mib"] for one, _ in pairs),
        "cache_hit_rate": pairs[0][0]["cache_hit_rate"],
        "runs": [{"logwarden": one, "consume": other} for one, other in pairs],
    }


def _settings(broker: Broker, topic: str) -> KafkaSettings:
    return KafkaSettings(broker.bootstrap_servers, TopicSpec(name=topic), "bench")


def _fill(broker: Broker, topic: str, traffic: Iterator[Received], lines: int) -> None:
    """Write traffic to a topic, each device's lines under its own address, as if they had come at the fixed rate."""
    broker.create_topic(topic, _PARTITIONS)
    begin = time.time() - lines / RATE - 60
    sent = 0
    with Producer(_settings(broker, topic)) as producer:
        while part := list(islice(traffic, _PART)):
            _send(producer, part, [begin + number / RATE for number in range(sent, sent + len(part))])
            sent += len(part)
            while producer.crowded:
                time.sleep(0.01)
        producer.durable().result(_SECONDS)


def _send(producer: Producer, part: list[Received], times: list[float] | None = None) -> None:
    lines = [one.line.encode("utf-8", "surrogateescape") for one in part]
    producer.append("bench", lines, [one.peer for one in part], received=times)


@contextlib.contextmanager
def _detector(broker: Broker, topic: str, model: str, store: Path) -> Iterator[RunningDetector]:
    file = store.with_suffix(".yaml")
    servers = broker.bootstrap_servers
    file.write_text(_PIPELINE.format(model=model, servers=servers, topic=topic, partitions=_PARTITIONS))
    port = free_port()
    command = [sys.executable, "-m", "logwarden", "-q", "run", "detector", "-f", str(file), "--store", str(store)]
    process = subprocess.Popen([*command, "--metrics-port", str(port)], stderr=subprocess.DEVNULL)
    try:
        yield RunningDetector(process, port)
    finally:
        process.terminate()
        process.wait()


def _through(broker: Broker, topic: str, model: str, store: Path, lines: int) -> Values:
    """Let a new detector read the topic; the rate is that from the first commit to the last."""
    with _detector(broker, topic, model, store) as running:
        began, first = running.wait(1)
        ended, _ = running.wait(lines)
        metrics = running.metrics()
        return {
            "lines_per_second": round((lines - first) / (ended - began)),
            "peak_mib": round(running.peak_mib()),
            "cache_hit_rate": round(metrics['logwarden_score_cache_hit_ratio{pipeline="bench"}'], 5),
        }


def _alone(broker: Broker, topic: str, lines: int) -> Values:
    return measure_module("benchmarks.consume_alone", broker.bootstrap_servers, topic, str(lines))


def _paced(broker: Broker, model: str, traffic: list[Received], store: Path, seconds: int) -> Values:
    """Send a second's traffic again and again at a fixed rate; return quantiles of the time from receive to stored."""
    broker.create_topic("paced", _PARTITIONS)
    with _detector(broker, "paced", model, store) as running, Producer(_settings(broker, "paced")) as producer:
        _send(producer, traffic[:1])
        running.wait(1)
        before = running.metrics()
        sent, started = 1, time.perf_counter()
        while sent < RATE * seconds:
            due = min(int((time.perf_counter() - started) * RATE), RATE * seconds)
            if due > sent:
                _send(producer, [traffic[number % RATE] for number in range(sent, due)])
                sent = due
            time.sleep(0.005)
        took = time.perf_counter() - started
        running.wait(sent)
        after = running.metrics()
    return {
        f"p50_seconds_at_{RATE}": _quantile(before, after, 0.5),
        f"p99_seconds_at_{RATE}": _quantile(before, after, 0.99),
        "paced_lines_per_second": round(sent / took),
        "paced_seconds": seconds,
    }


def _quantile(before: dict[str, float], after: dict[str, float], share: float) -> float:
    """Return a quantile from the growth of the buckets, as Prometheus does: linear within a bucket."""
    pattern = re.compile(r'logwarden_receive_to_stored_seconds_bucket\{le="([^"]+)"')
    buckets = sorted(
        (float(found[1]), after[name] - before.get(name, 0.0)) for name in after if (found := pattern.match(name))
    )
    wanted = share * buckets[-1][1]
    low, below = 0.0, 0.0
    for bound, count in buckets:
        if count >= wanted:
            return round(low if bound == float("inf") else low + (bound - low) * (wanted - below) / (count - below), 4)
        low, below = bound, count
    return low
