"""What real devices' messages become in a real Kafka, through a real syslog-ng, also when one of both dies."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Message

from logwarden.collector import render_syslog_ng
from tests.collector.golden import CASES, file_of
from tests.collector.pipelines import pipeline
from tests.services.certificates import Authority
from tests.services.kafka import Broker
from tests.services.ports import free_port
from tests.services.syslog_ng import Collector, version

pytestmark = pytest.mark.syslog

PATIENCE = 90.0
HOST = "127.0.0.1"
NASTY = [
    b"<34>1 2026-03-01T12:00:00Z fw1 app 7 - - five thousand",
    b"<189>Mar  1 12:00:00 sw1 %LINK-3-UPDOWN: Interface Gi1/0/1, changed state to down",
    "grüße, 漢字 🦓".encode(),
    b"caf\xe9 in latin-1",
    b"\xed\xa0\x80 half a surrogate pair",
    b'"quoted" \\ and\ttabs $HOST ${MESSAGE} $(echo x) `NODE_NAME`',
    b"colours \x1b[31mred\x1b[0m \x01",
    b"  leading and trailing blanks  ",
    b"<999>wrong priority",
    b"<>",
    b'{"logwarden": 7, "message": "an envelope in a line"}',
    b"x" * 9000,
]

Start = Callable[..., Collector]


@pytest.fixture
def start(tmp_path: Path, broker: Broker) -> Iterator[Start]:
    """Start a collector of a pipeline; its topic has the test's name."""
    started: list[Collector] = []

    def _start(folder: str = "collector", on: Broker = broker, **spec: Any) -> Collector:
        topic = f"raw-{tmp_path.name}"[:60]
        on.create_topic(topic, 3)
        described = pipeline(**spec, kafka={"bootstrapServers": on.bootstrap_servers, "topic": {"name": topic}})
        collector = Collector(tmp_path / folder, described, on.bootstrap_servers)
        started.append(collector)
        collector.start()
        return collector

    yield _start
    for collector in started:
        collector.stop()


@pytest.fixture
def consume(tmp_path: Path, broker: Broker) -> Callable[..., list[dict[str, Any]]]:
    """Read messages of the test's topic until there are so many, with key and partition."""

    def _consume(count: int, on: Broker = broker) -> list[dict[str, Any]]:
        consumer = Consumer(
            {"bootstrap.servers": on.bootstrap_servers, "group.id": "test", "auto.offset.reset": "earliest"}
        )
        consumer.subscribe([f"raw-{tmp_path.name}"[:60]])
        found: list[dict[str, Any]] = []
        until = time.monotonic() + PATIENCE
        # One more look at the end: what comes too often would come then.
        while (wanting := len(found) < count) and time.monotonic() < until:
            found += map(opened, consumer.consume(1000, timeout=0.5))
        assert not wanting, f"{len(found)} of {count}"
        found += map(opened, consumer.consume(1000, timeout=1.0))
        consumer.close()
        return found

    return _consume


def opened(message: Message) -> dict[str, Any]:
    """Return an envelope as the detector reads it, with the raw bytes as ``line``, and key and partition."""
    assert message.error() is None
    fields = json.loads(message.value() or b"")
    assert fields["logwarden"] == 1
    assert ("message" in fields) != ("message_base64" in fields)
    line = fields["message"].encode() if "message" in fields else base64.b64decode(fields["message_base64"])
    return {**fields, "line": line, "key": message.key(), "partition": message.partition()}


def over_tcp(port: int, data: bytes, *, source: str = HOST) -> None:
    with socket.create_connection((HOST, port), source_address=(source, 0)) as connection:
        connection.sendall(data)


def over_udp(port: int, lines: list[bytes], *, source: str = HOST) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.bind((source, 0))
        for line in lines:
            sock.sendto(line, (HOST, port))


def counted(lines: list[bytes]) -> bytes:
    return b"".join(b"%d %s" % (len(line), line) for line in lines)


def terminated(lines: list[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def test_messages_arrive_byte_for_byte_with_listener_sender_and_time(
    start: Start, consume: Callable[..., list[dict[str, Any]]]
) -> None:
    udp, tcp, octets = (free_port(kind) for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM, socket.SOCK_STREAM))
    collector = start(
        listeners=[
            {"name": "udp", "port": udp},
            {"name": "tcp", "transport": "TCP", "port": tcp, "framing": "Newline"},
            {"name": "octets", "transport": "TCP", "port": octets, "framing": "OctetCounted"},
        ]
    )
    before = time.time()
    with_nul = [*NASTY, b"a NUL \x00 inside"]
    over_udp(udp, with_nul, source="127.0.0.2")
    over_tcp(tcp, terminated(with_nul) + b"the last one without an end", source="127.0.0.3")
    over_tcp(octets, counted([*with_nul, b"two\nlines"]), source="127.0.0.4")

    found = consume(len(with_nul) * 3 + 2)
    after = time.time()
    lines = {name: [one["line"] for one in found if one["listener"] == name] for name in ("udp", "tcp", "octets")}
    assert lines["udp"] == with_nul
    assert lines["tcp"] == [*with_nul, b"the last one without an end"]
    assert lines["octets"] == [*with_nul, b"two\nlines"]
    senders = {(one["listener"], one["peer"], one["key"]) for one in found}
    assert senders == {
        ("udp", "127.0.0.2", b"127.0.0.2"),
        ("tcp", "127.0.0.3", b"127.0.0.3"),
        ("octets", "127.0.0.4", b"127.0.0.4"),
    }
    assert all(before - 0.01 <= float(one["received"]) <= after for one in found)
    assert all(len({one["partition"] for one in found if one["key"] == key}) == 1 for _, _, key in senders)
    stats = collector.stats()
    assert stats.received == {"udp": 13, "tcp": 14, "octets": 14}
    assert stats.senders == {"127.0.0.2": 13, "127.0.0.3": 14, "127.0.0.4": 14}
    assert (stats.written, stats.queued, stats.dropped) == (41, 0, 0)


def test_a_line_longer_than_the_limit_comes_in_pieces_that_the_parser_refuses(
    start: Start, consume: Callable[..., list[dict[str, Any]]]
) -> None:
    port = free_port()
    start(listeners=[{"name": "tcp", "transport": "TCP", "port": port}])
    over_tcp(port, b"L" * 20_000_000 + b"\nshort\n")
    found = consume(-(-20_000_000 // (256 * 1024)) + 1)
    assert found[-1]["line"] == b"short"
    assert sum(len(one["line"]) for one in found) == 20_000_005
    assert len(found[0]["line"]) > 65_536


def test_files_of_a_node_come_under_its_name(
    start: Start, consume: Callable[..., list[dict[str, Any]]], tmp_path: Path
) -> None:
    (tmp_path / "node").mkdir()
    (tmp_path / "node" / "syslog").write_bytes(terminated(NASTY))
    start("node", nodes=True)
    found = consume(len(NASTY))
    assert [one["line"] for one in found] == NASTY
    assert {(one["listener"], one["peer"], one["key"]) for one in found} == {("node/files", "node-1", b"node-1")}
    # The collector also reads what was written before it started: that is no clock which is behind.
    assert [one["late"] for one in found] == [True] * len(found)


def context(authority: Authority, client: str | None = None) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=str(authority.folder / "ca.crt"))
    if client is not None:
        made.load_cert_chain(*authority.sign(client))
    return made


def over_tls(port: int, data: bytes, tls: ssl.SSLContext) -> None:
    with socket.create_connection((HOST, port)) as plain, tls.wrap_socket(plain, server_hostname=HOST) as connection:
        connection.sendall(data)
        connection.settimeout(0.5)
        # With TLS 1.3 a refused client learns it when it reads.
        try:
            connection.recv(1)
        except TimeoutError:
            return


def test_tls_shows_its_certificate_and_checks_those_of_clients(
    start: Start, consume: Callable[..., list[dict[str, Any]]], tmp_path: Path
) -> None:
    authority = Authority(tmp_path / "authority")
    secret = tmp_path / "collector" / "secrets" / "syslog-tls"
    secret.mkdir(parents=True)
    certificate, key = authority.sign("server")
    for name, file in (("tls.crt", certificate), ("tls.key", key), ("ca.crt", authority.folder / "ca.crt")):
        (secret / name).write_bytes(file.read_bytes())
    tls, mutual = free_port(), free_port()
    start(
        listeners=[
            {"name": "tls", "transport": "TLS", "port": tls, "tlsSecretRef": {"name": "syslog-tls"}},
            {
                "name": "mutual",
                "transport": "TLS",
                "port": mutual,
                "tlsSecretRef": {"name": "syslog-tls"},
                "clientAuth": "Required",
                "framing": "Newline",
            },
        ]
    )
    over_tls(tls, counted([b"encrypted"]), context(authority))
    over_tls(mutual, b"known\n", context(authority, "client"))
    with pytest.raises((ssl.SSLError, ConnectionError)):
        over_tls(mutual, b"nobody\n", context(authority))
    with pytest.raises((ssl.SSLError, ConnectionError)):
        over_tls(mutual, b"stranger\n", _stranger(authority, tmp_path))
    found = consume(2)
    assert {(one["listener"], one["line"]) for one in found} == {("tls", b"encrypted"), ("mutual", b"known")}
    for old in ("-tls1", "-tls1_1"):
        assert "Cipher is (NONE)" in handshake(tls, old)
    assert "Cipher is (NONE)" not in handshake(tls, "-tls1_2")


def _stranger(authority: Authority, folder: Path) -> ssl.SSLContext:
    made = context(authority)
    made.load_cert_chain(*Authority(folder / "another").sign("client"))
    return made


def handshake(port: int, *options: str) -> str:
    command = ["openssl", "s_client", "-connect", f"{HOST}:{port}", "-cipher", "ALL:@SECLEVEL=0", *options]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False).stdout


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path / "own-kafka")
    broker.start()
    yield broker
    broker.stop()


def numbered(first: int, last: int) -> list[bytes]:
    return [b"<38>Mar  1 12:00:00 srv1 app[7]: line %07d" % number for number in range(first, last)]


def test_no_line_is_lost_when_kafka_is_away_and_syslog_ng_is_killed(
    start: Start, consume: Callable[..., list[dict[str, Any]]], own_broker: Broker
) -> None:
    port = free_port()
    collector = start(on=own_broker, listeners=[{"name": "tcp", "transport": "TCP", "port": port}])
    over_tcp(port, terminated(numbered(0, 1000)))
    collector.wait_for("tcp", 1000)
    own_broker.kill()
    over_tcp(port, terminated(numbered(1000, 21_000)))
    collector.wait_for("tcp", 21_000)
    collector.kill()
    collector.start()
    over_tcp(port, terminated(numbered(21_000, 30_000)))
    collector.wait_for("tcp", 9000)
    collector.kill()
    collector.start()
    own_broker.start()
    over_tcp(port, terminated(numbered(30_000, 30_500)))
    found = consume(30_500, on=own_broker)
    assert {one["line"] for one in found} == set(numbered(0, 30_500))
    assert collector.stats().dropped == 0


def test_lines_go_on_by_themselves_when_kafka_comes_back(
    start: Start, consume: Callable[..., list[dict[str, Any]]], own_broker: Broker
) -> None:
    port = free_port()
    collector = start(on=own_broker, listeners=[{"name": "tcp", "transport": "TCP", "port": port}])
    for round_number in range(3):
        over_tcp(port, terminated(numbered(round_number * 1000, round_number * 1000 + 500)))
        own_broker.kill()
        over_tcp(port, terminated(numbered(round_number * 1000 + 500, round_number * 1000 + 1000)))
        collector.wait_for("tcp", round_number * 1000 + 1000)
        assert collector.stats().queued >= 500
        own_broker.start()
    found = consume(3000, on=own_broker)
    assert {one["line"] for one in found} == set(numbered(0, 3000))


def test_a_full_buffer_slows_tcp_down_and_counts_what_it_drops_of_udp(start: Start, own_broker: Broker) -> None:
    tcp, udp = free_port(), free_port(socket.SOCK_DGRAM)
    collector = start(
        on=own_broker,
        listeners=[{"name": "tcp", "transport": "TCP", "port": tcp}, {"name": "udp", "port": udp}],
        buffer={"size": "16Mi"},
    )
    own_broker.kill()
    with socket.create_connection((HOST, tcp)) as connection:
        connection.settimeout(5.0)
        with pytest.raises(TimeoutError):
            connection.sendall(terminated([b"t" * 1000] * 60_000))
        full = collector.stats()
        assert full.dropped == 0
        over_udp(udp, [b"u" * 1000] * 20_000)
        until = time.monotonic() + PATIENCE
        while not collector.stats().dropped and time.monotonic() < until:
            over_udp(udp, [b"u" * 1000] * 1000)
            time.sleep(0.1)
        assert collector.stats().dropped > 0
    collector.kill()  # to shut down it would wait for the broker that is gone


@pytest.mark.parametrize(("name", "number"), [case for case in CASES if case[1] == version()])
def test_syslog_ng_reads_every_golden_configuration_of_its_version(name: str, number: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    certificate, key = authority.sign("server")
    for secret in ("syslog-tls", "main-cluster-ca-cert", "kafka-tls"):
        (tmp_path / secret).mkdir()
        for file, source in (("tls.crt", certificate), ("tls.key", key), ("ca.crt", authority.folder / "ca.crt")):
            (tmp_path / secret / file).write_bytes(source.read_bytes())
    (tmp_path / "kafka-credentials.conf").write_text('"sasl.username" => "a"\n"sasl.password" => "b"\n')
    text = file_of(name, number).read_text()
    text = text.replace("/etc/logwarden/secrets", str(tmp_path)).replace("/run/syslog-ng", str(tmp_path))
    assert syntax_error(text, tmp_path) == ""


def test_a_mistake_in_a_configuration_is_found_before_it_is_used(tmp_path: Path) -> None:
    text = render_syslog_ng(pipeline(listeners=[{"name": "udp"}]), version=version())
    assert "syntax error" in syntax_error(text.replace("sync-send(yes)", "sync-sent(yes)"), tmp_path)


def syntax_error(text: str, folder: Path) -> str:
    (folder / "syslog-ng.conf").write_text(text)
    command = ["syslog-ng", "--syntax-only", "--no-caps", "--cfgfile", str(folder / "syslog-ng.conf")]
    environment = {"PATH": "/usr/sbin:/usr/bin:/bin", "NODE_NAME": "node-1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stderr
