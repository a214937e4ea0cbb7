"""How far a training is, for Prometheus and for the operator."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from logwarden.training.language.progress import REACHED


class TrainingMetrics(Collector):
    """Tells how much of each step of the language model's training is done; nothing of a step that has not begun."""

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics."""
        done = GaugeMetricFamily("logwarden_training_done_ratio", "Share of a step that is done.", labels=["step"])
        left = GaugeMetricFamily(
            "logwarden_training_remaining_seconds", "Estimated time to the end of a step.", labels=["step"]
        )
        for step, reached in list(REACHED.items()):
            done.add_metric([step], reached.done)
            if reached.remaining is not None:
                left.add_metric([step], reached.remaining)
        yield done
        yield left
