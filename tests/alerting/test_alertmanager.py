"""Alerts on their way, to a server that answers as an Alertmanager does."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from logwarden.alerting.alertmanager import AlertSender
from logwarden.alerting.rules import Counts, Rules
from logwarden.api.log_pipeline import AlertsSpec


class Receiver:
    """Takes alerts; answers with ``status``."""

    def __init__(self) -> None:
        self.status = 200
        self.taken: list[list[dict[str, Any]]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                assert self.path == "/api/v2/alerts"
                if receiver.status == 200:
                    receiver.taken.append(body)
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, daemon=True)
    thread.start()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()
    thread.join()


def wait_until(true: Callable[[], object]) -> None:
    until = time.monotonic() + 30
    while not true():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_an_alert_is_repeated_while_it_fires_and_resolved_once_also_when_that_fails_at_first(
    receiver: Receiver,
) -> None:
    counts = [Counts(), Counts(stored=10, rejected=1)]
    rules = Rules("p", AlertsSpec())

    def next_counts() -> Counts:
        return counts.pop(0) if len(counts) > 1 else counts[0]

    sender = AlertSender(receiver.url, rules, next_counts, every=0.05)
    wait_until(lambda: len(receiver.taken) >= 3)
    (alert,) = receiver.taken[0]
    assert alert["labels"] == {"alertname": "LogwardenFailedProcessing", "pipeline": "p", "severity": "warning"}
    assert {one[0]["startsAt"] for one in receiver.taken} == {alert["startsAt"]}
    assert receiver.taken[-1][0]["endsAt"] > receiver.taken[0][0]["endsAt"] > alert["startsAt"]

    receiver.status = 503
    wait_until(lambda: "503" in sender.problem)
    rules._counts.clear()  # ten minutes pass
    wait_until(lambda: not rules.firing(time.time()))
    time.sleep(0.3)
    before = len(receiver.taken)
    receiver.status = 200
    wait_until(lambda: len(receiver.taken) > before)
    time.sleep(0.3)
    assert len(receiver.taken) == before + 1, "it is resolved once"
    assert receiver.taken[-1][0]["labels"] == alert["labels"]
    assert receiver.taken[-1][0]["endsAt"] <= time.strftime("%Y-%m-%dT%H:%M:%S.999999Z", time.gmtime())
    assert sender.problem == ""
    sender.stop()


def test_what_fires_when_it_is_stopped_is_still_sent(receiver: Receiver) -> None:
    counts = [Counts(), Counts(stored=10, rejected=1)]
    sender = AlertSender(receiver.url, Rules("p", AlertsSpec()), lambda: counts.pop(), every=3600)
    sender.stop()
    ((alert,),) = receiver.taken
    assert alert["labels"]["alertname"] == "LogwardenFailedProcessing"
