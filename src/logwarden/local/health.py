"""Metrics and health of a process, on one port."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from logwarden.errors import InvalidInputError


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
