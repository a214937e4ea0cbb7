"""Whatever is sent: stored, or refused with a reason; the endpoint goes on, and its memory stays bounded."""

from __future__ import annotations

import gzip
import json
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import cramjam
import httpx
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logwarden.ingest.listener import HttpListener
from logwarden.ingest.wire import varint
from logwarden.sources.listening import ListenerThread
from logwarden.sources.spool import Spool
from tests.sources.conftest import Collected

from .builders import HOST, SMALL, listener

PATHS = ("/v1/logs", "/loki/api/v1/push", "/services/collector/event", "/services/collector/raw?host=h")
KINDS = ("text/plain", "application/x-ndjson", "application/json", "application/x-protobuf", "", "image/png", "a/b;c")
CODINGS = ("", "gzip", "zstd", "identity", "br", "gzip, gzip")
REFUSALS = (400, 413, 415)

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
OTLP_NAMES = ["resourceLogs", "scopeLogs", "logRecords", "body", "stringValue", "kvlistValue", "values", "attributes"]
OTHER_NAMES = ["streams", "stream", "event", "time", "host", "fields", "timeUnixNano", "message", "key", "value"]
names = st.sampled_from([*OTLP_NAMES, *OTHER_NAMES])
near_misses = st.recursive(
    values, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=5), max_leaves=30
)
protobufs = st.recursive(
    st.binary(max_size=20),
    lambda inner: st.lists(st.tuples(st.integers(1, 12), inner), max_size=5).map(
        lambda parts: b"".join(varint(number << 3 | 2) + varint(len(part)) + part for number, part in parts)
    ),
    max_leaves=20,
)
bodies = st.one_of(
    st.binary(max_size=300),
    st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")),
    near_misses.map(lambda value: json.dumps(value).encode()),
    st.lists(near_misses, max_size=4).map(lambda rows: "\n".join(map(json.dumps, rows)).encode()),
    protobufs,
    protobufs.map(lambda data: bytes(cramjam.snappy.compress_raw(data))),
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[HttpListener, Spool, int]]:
    """An endpoint that lives through all tests of this module."""
    with Spool(tmp_path_factory.mktemp("spool")) as spool:
        one = listener(spool, limits=SMALL)
        port = int(one.socket.getsockname()[1])
        thread = ListenerThread([one])
        thread.start()
        yield one, spool, port
        thread.stop()


@pytest.fixture(scope="module")
def client(running: tuple[HttpListener, Spool, int]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://{HOST}:{running[2]}", timeout=60) as one:
        yield one


def pack(body: bytes, coding: str) -> bytes:
    return gzip.compress(body, 1) if coding == "gzip" else zstandard.compress(body) if coding == "zstd" else body


def test_any_request_is_stored_or_refused_with_a_reason(
    client: httpx.Client, running: tuple[HttpListener, Spool, int]
) -> None:
    one, spool, _ = running
    statuses: Counter[int] = Counter()

    @settings(max_examples=800, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        path=st.sampled_from(PATHS),
        kind=st.sampled_from(KINDS),
        coding=st.sampled_from(CODINGS),
        body=bodies,
        damage=st.sampled_from([False, False, False, True]),
    )
    def send(path: str, kind: str, coding: str, body: bytes, damage: bool) -> None:
        before = one.counts.received
        packed = pack(body, coding)
        sent = packed[: len(packed) // 2] if damage else packed
        headers = {"content-encoding": coding, **({"content-type": kind} if kind else {})}
        answer = client.post(path, content=sent, headers=headers)
        statuses[answer.status_code] += 1
        if answer.status_code in (200, 204):
            assert one.counts.received > before
        else:
            assert answer.status_code in REFUSALS, answer.text
            assert len(answer.content) > 10
            assert one.counts.received == before

    send()
    assert statuses[200] > 50
    assert statuses[400] > 50
    got = Collected(spool)
    assert got.count == one.counts.received
    assert len(got.reasons) == one.counts.malformed
    assert all(got.reasons)


BOMB = gzip.compress(b"\0" * 200_000_000, 1)
DEEP = b"[" * 100_000 + b"]" * 100_000
NASTIES = {
    "NULs": ("text/plain", b"a\0b\0\n\0\0\0\n", 200),
    "a line of 20 MB": ("text/plain", gzip.compress(b"x" * 20_000_000), 413),
    "a line of 3 MB": ("text/plain", gzip.compress(b"x" * 3_000_000), 200),
    "wrong UTF-8": ("text/plain", b"\xff\xfe\xfd\n\xc3\x28\n", 200),
    "wrong UTF-8 in JSON": ("application/json", b'["\xff\xfe"]', 400),
    "wrong UTF-8 in NDJSON": ("application/x-ndjson", b'"\xff"\n{"a":"b"}\n', 200),
    "half a surrogate": ("application/x-ndjson", b'"\\ud800"\n', 200),
    "gzip bomb": ("text/plain", BOMB, 413),
    "gzip bomb in a gzip bomb": ("text/plain", gzip.compress(BOMB), 200),
    "deep JSON": ("application/json", DEEP, 400),
    "deep NDJSON": ("application/x-ndjson", b'{"a":' + DEEP + b"}\n", 200),
    "deep OTLP": ("application/json", b'{"resourceLogs":' + DEEP + b"}", 400),
    "a number without end": ("application/json", b"[" + b"9" * 1_000_000 + b"]", 400),
    "NaN": ("application/json", b'[{"a": NaN}]', 400),
    "a key many times": ("application/json", b"{" + b'"a":1,' * 10_000 + b'"a":1}', 200),
    "an empty object": ("application/json", b"{}", 200),
    "only line ends": ("text/plain", b"\r\n\n\r\n", 400),
    "wrong priority": ("text/plain", b"<999999999999>x\n<-1>y\n<>\n<13\n", 200),
}


@pytest.mark.parametrize("name", NASTIES)
def test_nasties(client: httpx.Client, name: str) -> None:
    kind, body, status = NASTIES[name]
    coding = "gzip" if body[:2] == b"\x1f\x8b" else "identity"
    answer = client.post("/v1/logs", content=body, headers={"content-type": kind, "content-encoding": coding})
    assert answer.status_code == status, answer.text
    assert answer.json().get("error") or sum(answer.json().values()) > 0
    assert client.post("/v1/logs", content=b"still here").status_code == 200


@pytest.mark.parametrize(
    "head",
    [
        b"\0\0\0\0",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/logs HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\nx",
        b"POST /v1/logs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"POST /v1/logs HTTP/1.1\r\n" + b"X: y\r\n" * 100_000,
    ],
)
def test_what_is_no_http(running: tuple[HttpListener, Spool, int], client: httpx.Client, head: bytes) -> None:
    with closing(socket.create_connection((HOST, running[2]), timeout=30)) as sock:
        try:
            sock.sendall(head)
            sock.shutdown(socket.SHUT_WR)
            answer = sock.recv(100)
        except OSError:  # it closed, which shutting down may meet too
            answer = b""
    assert answer == b"" or answer.split()[1] in (b"400", b"404", b"413", b"431")
    assert client.get("/healthz").status_code == 200


def test_memory_stays_bounded(tmp_path: Path) -> None:
    """Many bombs at once, in a process of its own: its peak is far below what they would unpack to (6 GB)."""
    script = """
import gzip, resource, sys, threading, httpx, zstandard
from pathlib import Path
from logwarden.sources.listening import ListenerThread
from logwarden.sources.spool import Spool
from tests.ingest.builders import HOST, listener
with Spool(Path(sys.argv[1])) as spool:
    one = listener(spool)
    port = one.socket.getsockname()[1]
    thread = ListenerThread([one]); thread.start()
    zeros = b"\\0" * 300_000_000
    bodies = [(gzip.compress(zeros, 1), "gzip"), (zstandard.compress(zeros), "zstd")]
    del zeros
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    def send(body, coding):
        answer = httpx.post(f"http://{HOST}:{port}/v1/logs", content=body, timeout=120,
                            headers={"content-encoding": coding})
        assert answer.status_code == 413, answer.text
    threads = [threading.Thread(target=send, args=bodies[n % 2]) for n in range(20)]
    for t in threads: t.start()
    for t in threads: t.join()
    thread.stop()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    command = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    assert int(done.stdout) < 300_000, "KiB above what making the bombs took"
