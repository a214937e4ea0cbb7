"""What a detector counts, for Prometheus, and its health, on one port."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from logwarden.errors import InvalidInputError
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


class HealthServer:
    """Serves ``/healthz``, ``/readyz`` and ``/metrics`` in threads.

    Parameters
    ----------
    port
        Port on all addresses.
    collector
        Gives the metrics.
    alive, ready
        Return why not, or an empty text.

    Raises
    ------
    InvalidInputError
        If the port is taken.
    """

    def __init__(self, port: int, collector: Collector, alive: Callable[[], str], ready: Callable[[], str]) -> None:
        registry = CollectorRegistry()
        registry.register(collector)

        class Handler(BaseHTTPRequestHandler):
            timeout = 10

            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                if path == "/metrics":
                    self._answer(200, generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4)
                elif path in ("/healthz", "/readyz"):
                    problem = alive() if path == "/healthz" else alive() or ready()
                    self._answer(503 if problem else 200, f"{problem or 'ok'}\n".encode(), "text/plain; charset=utf-8")
                else:
                    self._answer(404, b"not found\n", "text/plain; charset=utf-8")

            def _answer(self, status: int, body: bytes, kind: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Log nothing: probes come every few seconds."""

        try:
            self._server = ThreadingHTTPServer(("", port), Handler)
        except OSError as error:
            raise InvalidInputError(f"--metrics-port {port}: {error.strerror}: choose another port") from None
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
