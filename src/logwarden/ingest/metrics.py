"""What an endpoint counts, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from logwarden.ingest.service import Ingest


class IngestMetrics(Collector):
    """Reads the endpoint's own counters when Prometheus asks.

    Parameters
    ----------
    ingest, pipeline
        The endpoint, and the name of its pipeline.
    sink_counts
        What the intake counts, by stage.
    waiting
        Returns the lines that are not durable yet.
    """

    def __init__(
        self, ingest: Ingest, pipeline: str, sink_counts: Mapping[str, int], waiting: Callable[[], int]
    ) -> None:
        self._ingest = ingest
        self._pipeline = pipeline
        self._sink_counts = sink_counts
        self._waiting = waiting

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics."""
        tally = self._ingest.tally
        by_sender = ("sender", "protocol")
        yield self._counter("lines", "Lines that were handed on.", by_sender, _copy(tally.lines))
        yield self._counter("rejected", "Lines that could not be read and were kept.", by_sender, _copy(tally.rejected))
        answers = _labelled(tally.answers)
        yield self._counter("answers", "Answers by status.", ("status",), answers)
        yield self._counter("repeated", "Requests known by their Idempotency-Key.", (), {(): tally.repeated})
        yield self._counter("body_bytes", "Bytes of bodies, as sent.", (), {(): tally.body_bytes})
        stages = _labelled(self._sink_counts)
        yield self._counter("sink_lines", "Lines on their way to Kafka, by stage.", ("stage",), stages)
        yield self._gauge("waiting_lines", "Lines that Kafka has not acknowledged.", self._waiting())
        yield self._gauge("problem", "1 while lines are not taken.", bool(self._ingest.problem))

    def _counter(
        self, name: str, text: str, labels: tuple[str, ...], values: Mapping[tuple[str, ...], int]
    ) -> CounterMetricFamily:
        family = CounterMetricFamily(f"logwarden_ingest_{name}", text, labels=["pipeline", *labels])
        for key, value in values.items():
            family.add_metric([self._pipeline, *key], value)
        return family

    def _gauge(self, name: str, text: str, value: float) -> GaugeMetricFamily:
        family = GaugeMetricFamily(f"logwarden_ingest_{name}", text, labels=["pipeline"])
        family.add_metric([self._pipeline], value)
        return family


def _copy(values: Mapping[tuple[str, str], int]) -> dict[tuple[str, ...], int]:
    return {key: value for key, value in list(values.items())}  # noqa: C416 - the server counts on meanwhile


def _labelled(values: Mapping[Any, int]) -> dict[tuple[str, ...], int]:
    return {(str(key),): value for key, value in list(values.items())}
