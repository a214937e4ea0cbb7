"""The metrics that the product's own code exports, as Prometheus reads them: texts made by the exporters themselves."""

from __future__ import annotations

import re
import socket
from collections import Counter
from types import SimpleNamespace
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.registry import Collector

from logwarden.collector.exporter import Exporter
from logwarden.collector.stats import Stats
from logwarden.ingest.metrics import IngestMetrics
from logwarden.ingest.tally import Tally
from logwarden.streaming.latency import Latency
from logwarden.streaming.metrics import DetectorMetrics
from logwarden.training.language import progress
from logwarden.training.metrics import TrainingMetrics
from logwarden_operator import metrics as _operator_metrics

assert _operator_metrics  # its import registers them


def collector(stats: Stats) -> str:
    """Return what a collector exports. A socket is opened, of which the kernel counts the drops."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        families = Exporter("unused", {sock.getsockname()[1]: "udp"})._families(stats)
        return "\n".join(families) + "\n"


def ingest(tally: Tally, stages: dict[str, int], waiting: int = 0) -> str:
    """Return what an HTTP endpoint exports."""
    endpoint: Any = SimpleNamespace(tally=tally, problem="")
    return _text(IngestMetrics(endpoint, "campus", stages, lambda: waiting))


def detector(counts: dict[tuple[str, int], int], lag: dict[int, int]) -> str:
    """Return what a detector exports."""
    detection: Any = SimpleNamespace(
        counts=counts,
        partitions={0: SimpleNamespace(loop=SimpleNamespace(stored=7))},
        latency=Latency(),
        lag=lambda: lag,
        model=SimpleNamespace(scores=SimpleNamespace(hit_rate=0.5)),
        problem="",
    )
    return _text(DetectorMetrics(detection, "campus", "netlogs-raw"))


def training(done: float, remaining: float | None, step: str = "fine-tuning") -> str:
    """Return what a trainer exports."""
    progress.REACHED[step] = progress.Reached(done, remaining)
    try:
        return _text(TrainingMetrics())
    finally:
        del progress.REACHED[step]


def names() -> set[str]:
    """Return the names of all samples."""
    tally = Tally()
    tally.lines["anyone", "lines"] += 1
    tally.rejected["anyone", "lines"] += 1
    tally.answers[200] += 1
    one: Counter[str] = Counter({"udp": 1})
    texts = [
        collector(Stats(one, one, one, 1, 1, 1)),
        ingest(tally, {"appended": 1}),
        detector({("stored", 0): 1}, {0: 1}),
        training(0.5, 10.0),
        generate_latest(REGISTRY).decode(),
    ]
    text = "\n".join(texts)
    families = set(re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE))
    for histogram in re.findall(r"^# TYPE (\S+) histogram", text, re.MULTILINE):
        families |= {f"{histogram}_{part}" for part in ("bucket", "count", "sum")}
    samples = set(re.findall(r"^([a-z_][a-z0-9_]*)[{ ]", text, re.MULTILINE))
    return families | samples


def _text(source: Collector) -> str:
    registry = CollectorRegistry()
    registry.register(source)
    return generate_latest(registry).decode()
