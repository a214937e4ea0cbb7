"""``logwarden up --bootstrap-servers``: listeners, Kafka and detection in one process."""

from __future__ import annotations

import signal
import socket
import urllib.request
from pathlib import Path

import pytest

from logwarden.store import Store
from tests.kafka.conftest import SECONDS, lines_in, read_all, wait_until
from tests.local.conftest import PIPELINE, Start
from tests.local.conftest import up as up
from tests.services.kafka import Broker

pytestmark = pytest.mark.kafka


@pytest.fixture
def pipeline_file(tmp_path: Path) -> Path:
    path = tmp_path / "pipeline.yaml"
    path.write_text(PIPELINE)
    return path


def test_what_listeners_take_goes_through_kafka(broker: Broker, up: Start, tmp_path: Path) -> None:
    store = tmp_path / "store.db"
    running = up("--bootstrap-servers", broker.bootstrap_servers, "--store", str(store))
    udp, http = running.port("syslog UDP"), int(running.wait_for(r"HTTP .*:(\d+)/v1/logs")[1])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for number in range(50):
            sender.sendto(b"<13>h1 app: datagram %d" % number, ("127.0.0.1", udp))
    body = "\n".join(f"<13>h2 app: posted {number}" for number in range(50)).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{http}/v1/logs", body, {"Content-Type": "text/plain"})
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        assert answer.status == 200
    assert len(read_all(broker, "netlogs-raw", 100)) == 100, "acknowledged, and so in Kafka"
    wait_until(lambda: lines_in(store) == 100)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"<13>h1 app: the last one", ("127.0.0.1", udp))
    wait_until(lambda: lines_in(store) == 101)
    assert running.stop(signal.SIGTERM) == 0
    with Store.open(store, read_only=True) as opened:
        assert opened.counters("received/") == {"received/udp": 51, "received/http": 50}
        status = opened.status()
        assert status is not None
        assert {listener.name: listener.received for listener in status.listeners}["http"] == 50


def test_a_kafka_that_is_away_is_told_before_anything_listens(up: Start) -> None:
    running = up("--bootstrap-servers", "127.0.0.1:1")
    assert running.end() == 1
    assert "cannot use Kafka at 127.0.0.1:1: " in running.text
    assert "syslog" not in running.text
