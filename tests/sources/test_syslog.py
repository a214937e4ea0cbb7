"""Syslog listeners on real sockets."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from logwarden.sources.base import MAX_LINE_BYTES
from logwarden.sources.listening import Listener, bind
from logwarden.sources.spool import Spool, SpoolLimits
from logwarden.sources.syslog import TcpListener, UdpListener

from .conftest import Collected, wait_for

HOST = "127.0.0.1"
Serve = Callable[[Listener], int]
Collect = Callable[[int], Collected]


def send_udp(port: int, *datagrams: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for datagram in datagrams:
            sock.sendto(datagram, (HOST, port))


def send_tcp(port: int, data: bytes) -> None:
    with socket.create_connection((HOST, port)) as sock:
        sock.sendall(data)


def test_datagrams_are_kept_with_the_sender(spool: Spool, serve: Serve, collect: Collect) -> None:
    listener = UdpListener("udp", bind("udp", HOST, 0), spool)
    port = serve(listener)
    before = time.time()
    send_udp(port, b"<13>one\n", b"<13>two\r\n\0", b"<13>\xff", b"x" * 60_000)
    got = collect(4)
    assert got.lines[:3] == ["<13>one", "<13>two", "<13>\udcff"]
    assert len(got.lines[3]) == 60_000
    assert {peer for batch in got.batches for peer in batch.peers or ()} == {HOST}
    assert {batch.listener for batch in got.batches} == {"udp"}
    assert all(before <= at <= time.time() for batch in got.batches for at in batch.received or ())


def test_an_empty_datagram_is_reported(spool: Spool, serve: Serve, collect: Collect) -> None:
    listener = UdpListener("udp", bind("udp", HOST, 0), spool)
    send_udp(serve(listener), b"", b"<13>a", b"\n")
    got = collect(3)
    assert got.lines == ["<13>a"]
    assert got.reasons == ["empty datagram"] * 2
    assert (listener.counts.received, listener.counts.malformed) == (3, 2)


def test_20000_datagrams_arrive(spool: Spool, serve: Serve, collect: Collect) -> None:
    listener = UdpListener("udp", bind("udp", HOST, 0), spool)
    port = serve(listener)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for i in range(20_000):
            sock.sendto(b"<13>line %d" % i, (HOST, port))
            if i % 500 == 0:
                wait_for(lambda i=i: listener.counts.received >= i - 1000)  # no faster than a busy machine reads
    got = collect(20_000)
    assert got.lines == [f"<13>line {i}" for i in range(20_000)]
    assert listener.kernel_drops() == 0


def test_what_the_kernel_drops_is_counted(spool: Spool) -> None:
    sock = bind("udp", HOST, 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    listener = UdpListener("udp", sock, spool)
    if not Path("/proc/net/udp").exists():
        pytest.skip("/proc/net/udp is there on Linux only")
    port = sock.getsockname()[1]
    send_udp(port, *[b"x" * 1000] * 100)
    arrived = 0
    while True:
        try:
            sock.recv(2000)
        except BlockingIOError:
            break
        arrived += 1
    assert arrived < 100
    assert listener.kernel_drops() == 100 - arrived
    sock.close()


@pytest.mark.parametrize("counted", [False, True])
def test_20000_lines_arrive_over_tcp(spool: Spool, serve: Serve, collect: Collect, counted: bool) -> None:
    port = serve(TcpListener("tcp", bind("tcp", HOST, 0), spool))
    lines = [b"<13>line %d" % i for i in range(20_000)]
    send_tcp(port, b"".join(b"%d %b" % (len(line), line) if counted else line + b"\n" for line in lines))
    got = collect(20_000)
    assert got.lines == [line.decode() for line in lines]
    assert not got.reasons
    assert [at for batch in got.batches for at in batch.positions] == list(range(20_000))


def test_many_connections_at_once(spool: Spool, serve: Serve, collect: Collect) -> None:
    port = serve(TcpListener("tcp", bind("tcp", HOST, 0), spool))

    def send(sender: int) -> None:
        send_tcp(port, b"".join(b"<13>%d %d\n" % (sender, i) for i in range(200)))

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(send, range(50)))
    got = collect(10_000)
    for sender in range(50):
        own = [line for line in got.lines if line.startswith(f"<13>{sender} ")]
        assert own == [f"<13>{sender} {i}" for i in range(200)]


def test_broken_frames_are_reported_and_the_listener_lives(spool: Spool, serve: Serve, collect: Collect) -> None:
    listener = TcpListener("tcp", bind("tcp", HOST, 0), spool)
    port = serve(listener)
    send_tcp(port, b"500 <13>cut off")
    send_tcp(port, b"<13>before\n" + b"y" * (MAX_LINE_BYTES + 1) + b"\n<13>after\n")
    send_tcp(port, b"<13>fine")
    got = collect(5)
    assert sorted(got.lines) == ["<13>after", "<13>before", "<13>fine"]
    assert sorted(got.reasons) == [
        "connection closed after 11 of 500 bytes",
        "message of 65537 bytes is longer than 65536",
    ]
    assert (listener.counts.received, listener.counts.malformed) == (5, 2)


def test_a_reset_connection_gives_what_had_arrived(spool: Spool, serve: Serve, collect: Collect) -> None:
    port = serve(TcpListener("tcp", bind("tcp", HOST, 0), spool))
    sock = socket.create_connection((HOST, port))
    sock.sendall(b"<13>one\n<13>two\n")
    collect(2)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()
    send_tcp(port, b"<13>three\n")
    assert collect(3).lines == ["<13>one", "<13>two", "<13>three"]


def test_connections_over_the_limit_are_refused(spool: Spool, serve: Serve, collect: Collect) -> None:
    listener = TcpListener("tcp", bind("tcp", HOST, 0), spool, max_connections=2)
    port = serve(listener)
    kept = [socket.create_connection((HOST, port)) for _ in range(2)]
    wait_for(lambda: len(listener.connections) == 2)
    with socket.create_connection((HOST, port)) as third:
        third.settimeout(10)
        with contextlib.suppress(ConnectionResetError):
            assert third.recv(1) == b""
    assert listener.counts.refused == 1
    kept[0].sendall(b"<13>still here\n")
    collect(1)
    for sock in kept:
        sock.close()


def test_a_silent_connection_is_closed(spool: Spool, serve: Serve, collect: Collect) -> None:
    listener = TcpListener("tcp", bind("tcp", HOST, 0), spool, idle_seconds=60, unfinished_seconds=0.4)
    port = serve(listener)
    with socket.create_connection((HOST, port)) as idle, socket.create_connection((HOST, port)) as unfinished:
        idle.sendall(b"<13>whole\n")
        unfinished.sendall(b"100 <13>hal")
        unfinished.settimeout(10)
        assert unfinished.recv(1) == b""
        assert len(listener.connections) == 1
    assert collect(2).reasons == ["connection closed after 7 of 100 bytes"]


def test_a_crowded_spool_slows_a_sender_down_and_loses_nothing(tmp_path: Path, serve: Serve) -> None:
    limits = SpoolLimits(disk_bytes=400_000, segment_bytes=50_000, waiting_bytes=200_000)
    with Spool(tmp_path / "spool", limits=limits) as spool:
        udp = UdpListener("udp", bind("udp", HOST, 0), spool)
        port = serve(TcpListener("tcp", bind("tcp", HOST, 0), spool))
        udp_port = serve(udp)
        line = b"<13>" + b"x" * 995 + b"\n"
        with socket.create_connection((HOST, port)) as sock:
            sock.setblocking(False)
            sent, blocked_since = 0, None
            data = line * 100
            offset = 0
            while blocked_since is None or time.monotonic() - blocked_since < 1.0:
                try:
                    count = sock.send(data[offset:])
                    sent, offset = sent + count, (offset + count) % len(data)
                    blocked_since = None
                except BlockingIOError:
                    blocked_since = blocked_since or time.monotonic()
                    time.sleep(0.02)
                assert sent < 100_000_000, "the sender was never slowed down"
            assert spool.crowded
            send_udp(udp_port, b"<13>lost", b"<13>lost too")
            wait_for(lambda: udp.counts.dropped == 2)
            wait_for(lambda: _consume(spool) and not spool.crowded)
            sock.setblocking(True)
            sock.sendall(data[offset:])
            sent += len(data) - offset if offset else len(data)
        wait_for(lambda: _consume(spool) and spool.counts["tcp"] * len(line) == sent)


def test_a_sender_that_we_keep_waiting_is_not_closed_for_its_silence(tmp_path: Path, serve: Serve) -> None:
    with Spool(tmp_path / "spool") as spool:
        gate = _Gate(spool)
        listener = TcpListener("tcp", bind("tcp", HOST, 0), gate, idle_seconds=0.2, unfinished_seconds=0.2)
        port = serve(listener)
        gate.shut = True
        with socket.create_connection((HOST, port)) as sock:
            sock.sendall(b"<13>first\n<13>hal")
            wait_for(lambda: any(one.paused for one in listener.connections))
            sock.sendall(b"f a line\n" + b"<13>third\n")
            time.sleep(1.0)
            assert len(listener.connections) == 1
            gate.shut = False
            wait_for(lambda: spool.counts["tcp"] == 3)
        assert Collected(spool).lines == ["<13>first", "<13>half a line", "<13>third"]
        assert not Collected(spool).reasons


class _Gate:
    """A spool that is crowded when the test says so."""

    def __init__(self, spool: Spool) -> None:
        self.shut = False
        self.problem = ""
        self.append = spool.append
        self.durable = spool.durable

    @property
    def crowded(self) -> bool:
        return self.shut


def _consume(spool: Spool) -> bool:
    spool.consumed(spool.end_block)
    return True


@pytest.mark.skipif(shutil.which("logger") is None, reason="logger of util-linux is not installed")
@pytest.mark.parametrize("options", [["--udp"], ["--tcp"], ["--tcp", "--octet-count"], ["--udp", "--rfc3164"]])
def test_the_logger_command_is_understood(spool: Spool, serve: Serve, collect: Collect, options: list[str]) -> None:
    kind = "udp" if "--udp" in options else "tcp"
    make = UdpListener if kind == "udp" else TcpListener
    port = serve(make(kind, bind(kind, HOST, 0), spool))
    subprocess.run(["logger", "--server", HOST, "--port", str(port), *options, "hello there"], check=True)
    (line,) = collect(1).lines
    assert line.startswith("<13>")
    assert line.endswith("hello there")
