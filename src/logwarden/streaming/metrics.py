"""What a detector counts, for Prometheus, and whether it is alive."""

from __future__ import annotations

import time
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from logwarden.streaming.latency import BOUNDS
from logwarden.streaming.partitions import PartitionedDetection

_HUNG_SECONDS = 180.0
_STAGES = {
    "stored": ("logwarden_lines_stored", "Lines that were judged and whose results are stored."),
    "rejected": ("logwarden_lines_rejected", "Lines that could not be read and are dead letters."),
    "lost": ("logwarden_lines_lost", "Lines that Kafka removed before they were read."),
    "anomalies": ("logwarden_anomalies", "Anomalies found."),
}


class DetectorMetrics(Collector):
    """Reads the detection's own counters when Prometheus asks: nothing is counted twice, the hot path does nothing."""

    def __init__(self, detection: PartitionedDetection, pipeline: str, topic: str) -> None:
        self._detection = detection
        self._pipeline = pipeline
        self._topic = topic

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics."""
        yield from self._by_partition()
        latency = HistogramMetricFamily(
            "logwarden_receive_to_stored_seconds",
            "Time from when a collector received a line until its results were stored.",
            labels=["pipeline"],
        )
        counts, total = self._detection.latency.read()
        buckets, reached = [], 0
        for bound, count in zip([*map(str, BOUNDS), "+Inf"], counts, strict=True):
            reached += count
            buckets.append((bound, reached))
        latency.add_metric([self._pipeline], buckets, sum_value=total)
        yield latency
        yield self._gauge("logwarden_score_cache_hit_ratio", "Scores answered from the cache.", self._hit_rate())
        yield self._gauge("logwarden_problem", "1 while results cannot be stored or Kafka not read.", self._problem())

    def _by_partition(self) -> Iterator[Metric]:
        labels = ["pipeline", "topic", "partition"]
        counted = dict(self._detection.counts)
        numbers = sorted({number for _, number in counted} | set(self._detection.partitions))
        for stage, (name, text) in _STAGES.items():
            family = CounterMetricFamily(name, text, labels=labels)
            for number in numbers:
                family.add_metric([self._pipeline, self._topic, str(number)], counted.get((stage, number), 0))
            yield family
        lag = GaugeMetricFamily("logwarden_lag_lines", "Lines in Kafka that wait for this detector.", labels=labels)
        for number, lines in self._detection.lag().items():
            lag.add_metric([self._pipeline, self._topic, str(number)], lines)
        yield lag
        place = GaugeMetricFamily("logwarden_stored_offset", "Offset up to which results are stored.", labels=labels)
        for number, one in list(self._detection.partitions.items()):
            place.add_metric([self._pipeline, self._topic, str(number)], one.loop.stored)
        yield place

    def _gauge(self, name: str, text: str, value: float) -> GaugeMetricFamily:
        family = GaugeMetricFamily(name, text, labels=["pipeline"])
        family.add_metric([self._pipeline], value)
        return family

    def _hit_rate(self) -> float:
        return self._detection.model.scores.hit_rate

    def _problem(self) -> float:
        return float(bool(self._detection.problem))


def not_alive(detection: PartitionedDetection) -> str:
    """Return why the detector should be restarted; empty while it works."""
    since = time.monotonic() - detection.beat
    return f"nothing was done for {since:.0f} seconds" if since > _HUNG_SECONDS else ""
