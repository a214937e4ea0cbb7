"""From Kafka to the store, beside a consumer that does nothing; and the latency of the whole way at a fixed rate."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.detecting import PARTITIONS, SECONDS, detector, wait
from benchmarks.paced import RATE, through_syslog_ng
from benchmarks.process import measure_module
from benchmarks.traffic import Received, repeat
from logwarden.api.log_pipeline import TopicSpec
from logwarden.kafka.producer import Producer
from logwarden.kafka.settings import KafkaSettings
from tests.services.kafka import Broker

Values = dict[str, Any]
_PART = 5000


def kafka_to_store(recording: Path, model: str, lines: int, runs: int, seconds: int) -> Values:
    """Return the values of the benchmark; see benchmarks/README.md."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = Broker(folder / "kafka", measured=True)
        broker.start()
        try:
            fill(broker, "repeated", repeat(recording, lines), lines)
            pairs = [
                (_through(broker, "repeated", model, folder / f"{number}.db", lines), _alone(broker, "repeated", lines))
                for number in range(runs)
            ]
            paced = through_syslog_ng(broker, model, list(repeat(recording, RATE)), folder, seconds)
        finally:
            broker.stop()
    ours = median(one["lines_per_second"] for one, _ in pairs)
    warm = median(one["lines_per_second_when_warm"] for one, _ in pairs)
    raw = median(one["lines_per_second"] for _, one in pairs)
    return {
        "lines": lines,
        "kafka_to_store_lines_per_second": ours,
        "kafka_to_store_lines_per_second_when_warm": warm,
        "raw_consume_lines_per_second": raw,
        "ratio": round(ours / raw, 3),
        "ratio_when_warm": round(warm / raw, 3),
        **paced,
        "detector_rss_mib": max(one["peak_mib"] for one, _ in pairs),
        "cache_hit_rate": pairs[0][0]["cache_hit_rate"],
        "runs": [{"logwarden": one, "consume": other} for one, other in pairs],
    }


def _settings(broker: Broker, topic: str) -> KafkaSettings:
    return KafkaSettings(broker.bootstrap_servers, TopicSpec(name=topic), "bench")


def fill(
    broker: Broker,
    topic: str,
    traffic: Iterator[Received],
    lines: int,
    *,
    partitions: int = PARTITIONS,
    ago: float = 60.0,
) -> None:
    """Write traffic to a topic, each device's lines under its own address.

    It is as if they had come at the fixed rate, the last one so many seconds ago.
    """
    broker.create_topic(topic, partitions)
    begin = time.time() - lines / RATE - ago
    sent = 0
    with Producer(_settings(broker, topic)) as producer:
        while part := list(islice(traffic, _PART)):
            texts = [one.line.encode("utf-8", "surrogateescape") for one in part]
            times = [begin + number / RATE for number in range(sent, sent + len(part))]
            producer.append("bench", texts, [one.peer for one in part], received=times)
            sent += len(part)
            while producer.crowded:
                time.sleep(0.01)
        producer.durable().result(SECONDS)


def _through(broker: Broker, topic: str, model: str, store: Path, lines: int) -> Values:
    """Let a new detector read the topic; the rate is that from the first commit to the last.

    The language model reads most texts in the first half: the rate of the second half is that of repeated traffic.
    """
    with detector(broker.bootstrap_servers, topic, model, store) as running:
        began, first = wait(1, running)
        half, middle = wait(lines // 2, running)
        ended, _ = wait(lines, running)
        metrics = running.metrics()
        return {
            "lines_per_second": round((lines - first) / (ended - began)),
            "lines_per_second_when_warm": round((lines - middle) / (ended - half)),
            "peak_mib": round(running.peak_mib()),
            "cache_hit_rate": round(metrics['logwarden_score_cache_hit_ratio{pipeline="bench"}'], 5),
        }


def _alone(broker: Broker, topic: str, lines: int) -> Values:
    return measure_module("benchmarks.consume_alone", broker.bootstrap_servers, topic, str(lines))
