"""The counters of a syslog-ng for Prometheus.

Versions before 4.1 have none of their own; the names here are the same for all, which is what alerts and the accounting
of lines rely on.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from logwarden.collector.stats import Stats, kernel_drops, read_stats

_CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Exporter:
    """What is exported.

    Attributes
    ----------
    control
        Control socket of the syslog-ng.
    udp_ports
        Names of listeners by UDP port, to count what the kernel drops before syslog-ng sees it.
    """

    control: str
    udp_ports: dict[int, str]

    def metrics(self) -> str:
        """Return the counters in Prometheus' text format; ``logwarden_collector_up`` is 0 when syslog-ng is away."""
        try:
            stats = read_stats(self.control)
        except OSError as error:
            _log.warning("no counters from %s: %s", self.control, error)
            return "\n".join(_family("up", "gauge", "Whether syslog-ng answers.", {"": 0})) + "\n"
        return "\n".join(self._families(stats)) + "\n"

    def _families(self, stats: Stats) -> Iterator[str]:
        yield from _family("up", "gauge", "Whether syslog-ng answers.", {"": 1})
        yield from _family(
            "received_total", "counter", "Messages taken since the start.", _labelled("listener", stats.received)
        )
        yield from _family(
            "sender_received_total", "counter", "Messages taken, by sender.", _labelled("sender", stats.senders)
        )
        yield from _family("connections", "gauge", "Open connections.", _labelled("listener", stats.connections))
        yield from _family("written_total", "counter", "Messages that Kafka has acknowledged.", {"": stats.written})
        yield from _family("queued", "gauge", "Messages that wait in the disk buffer.", {"": stats.queued})
        yield from _family(
            "dropped_total", "counter", "Messages lost because the disk buffer was full.", {"": stats.dropped}
        )
        yield from _family(
            "kernel_dropped_total",
            "counter",
            "Datagrams that the kernel dropped because a socket's buffer was full.",
            _labelled("listener", kernel_drops(self.udp_ports)),
        )


def _labelled(label: str, counts: dict[str, int]) -> dict[str, int]:
    return {f'{{{label}="{_escaped(name)}"}}': count for name, count in sorted(counts.items())}


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _family(name: str, kind: str, text: str, samples: dict[str, int]) -> Iterator[str]:
    if not samples:
        return
    full = f"logwarden_collector_{name}"
    yield f"# HELP {full} {text}"
    yield f"# TYPE {full} {kind}"
    for labels, value in samples.items():
        yield f"{full}{labels} {value}"


def new_server(exporter: Exporter, address: str, port: int) -> ThreadingHTTPServer:
    """Return a server that answers ``GET /metrics``, and ``GET /healthz`` for a probe of itself."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, exporter.metrics(), _CONTENT_TYPE)
            elif self.path == "/healthz":
                self._answer(200, "ok\n", "text/plain")
            else:
                self._answer(404, "there are /metrics and /healthz\n", "text/plain")

        def _answer(self, status: int, text: str, content_type: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the name is the base class's
            _log.debug(format, *args)

    return ThreadingHTTPServer((address, port), Handler)
