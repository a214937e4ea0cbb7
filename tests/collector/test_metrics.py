"""Counters of a collector for Prometheus."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from logwarden.collector.exporter import Exporter, new_server
from logwarden.collector.stats import kernel_drops

# From a syslog-ng 3.38, shortened; one row is broken and one has a number that is none.
CSV = """\
SourceName;SourceId;SourceInstance;State;Type;Number
source;udp;;a;processed;14
source;tcp;;a;processed;20
src.network;udp#0;127.0.0.1;a;processed;14
src.network;tcp;afsocket_sd.(stream,AF_INET(127.0.0.1:25515));a;connections;2
src.host;;192.0.2.7;d;processed;33
src.host;;"odd\\;name";d;processed;1
dst.kafka;kafka#0;kafka,netlogs-raw;a;written;30
dst.kafka;kafka#0;kafka,netlogs-raw;a;queued;3
dst.kafka;kafka#0;kafka,netlogs-raw;a;dropped;1
dst.kafka;kafka#0;kafka,netlogs-raw;a;eps_last_1h;x
broken
"""
UDP_TABLE = """\
   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  123: 00000000:158A 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1 2 0 5
  124: 00000000:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1 2 0 9
"""


@contextmanager
def syslog_ng(path: Path, answer: str) -> Iterator[str]:
    """A control socket that answers once, in pieces."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                assert connection.recv(100) == b"STATS CSV\n"
                data = f"{answer}\n.\n".encode()
                for start in range(0, len(data), 50):
                    connection.sendall(data[start : start + 50])

        thread = threading.Thread(target=serve)
        thread.start()
        yield str(path)
        thread.join()


def values(text: str) -> dict[tuple[str, str], float]:
    """Return the samples by name and label value, as Prometheus' own parser reads them."""
    return {
        (sample.name.removeprefix("logwarden_collector_"), next(iter(sample.labels.values()), "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_counters_by_listener_and_sender_are_served(tmp_path: Path) -> None:
    with syslog_ng(tmp_path / "ctl", CSV) as control:
        server = new_server(Exporter(control, {}), "127.0.0.1", 0)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        answer = httpx.get(f"{url}/metrics")
        assert httpx.get(f"{url}/healthz").status_code == 200
        assert httpx.get(f"{url}/other").status_code == 404
        server.shutdown()
        thread.join()
        server.server_close()
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert values(answer.text) == {
        ("up", ""): 1,
        ("received_total", "udp"): 14,
        ("received_total", "tcp"): 20,
        ("sender_received_total", "192.0.2.7"): 33,
        ("sender_received_total", "odd;name"): 1,
        ("connections", "tcp"): 2,
        ("written_total", ""): 30,
        ("queued", ""): 3,
        ("dropped_total", ""): 1,
    }


def test_without_syslog_ng_the_collector_is_down(tmp_path: Path) -> None:
    assert values(Exporter(str(tmp_path / "none"), {}).metrics()) == {("up", ""): 0}


def test_what_the_kernel_drops_is_counted_by_listener(tmp_path: Path) -> None:
    table = tmp_path / "udp"
    table.write_text(UDP_TABLE)
    assert kernel_drops({5514: "udp"}, (str(table), str(tmp_path / "udp6"))) == {"udp": 5}
