"""Nobody is sent to a page that does not answer yet."""

from __future__ import annotations

import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from logwarden.local.ports import Endpoint
from logwarden.local.readiness import Readiness
from logwarden.sources.listening import bind

HOST = "127.0.0.1"


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def page_at(port: int) -> Endpoint:
    return Endpoint("dashboard", "page", HOST, port, "")


def test_a_page_is_there_when_it_answers_and_not_when_its_port_is_taken() -> None:
    with bind("tcp", HOST, 0) as taken:
        ready = Readiness(page_at(taken.getsockname()[1]), None, patience=60)
        assert not ready.reached()
    assert not ready.told
    with HTTPServer((HOST, 0), _Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        ready = Readiness(page_at(server.server_port), None, patience=60)
        assert ready.reached()
        assert ready.told
        server.shutdown()


def test_a_page_whose_process_has_ended_is_not_waited_for() -> None:
    with (
        bind("tcp", HOST, 0) as taken,
        subprocess.Popen([sys.executable, "-c", ""], stdin=subprocess.PIPE) as child,
    ):
        child.wait(60)
        assert Readiness(page_at(taken.getsockname()[1]), child, patience=60).reached()


def test_waiting_ends() -> None:
    with bind("tcp", HOST, 0) as taken:
        assert Readiness(page_at(taken.getsockname()[1]), None, patience=0).reached()


def test_without_a_page_there_is_nothing_to_wait_for() -> None:
    assert Readiness(None, None, patience=60).reached()
