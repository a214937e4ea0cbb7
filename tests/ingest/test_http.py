"""The HTTP endpoint on a real port."""

from __future__ import annotations

import gzip
import json
import logging
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
import zstandard

from logwarden.ingest.limits import Limits
from logwarden.ingest.listener import HttpListener
from logwarden.ingest.tokens import Tokens
from logwarden.sources.base import MAX_LINE_BYTES
from logwarden.sources.listening import Listener, bind
from logwarden.sources.spool import Spool, SpoolLimits
from tests.sources.conftest import Collected, wait_for

HOST = "127.0.0.1"
SMALL = Limits(body_bytes=2_000_000, unpacked_bytes=4_000_000)
Serve = Callable[[Listener], int]
Collect = Callable[[int], Collected]


@pytest.fixture
def listener(spool: Spool) -> HttpListener:
    return HttpListener("http", bind("tcp", HOST, 0), spool, limits=SMALL)


def tokens(folder: Path, text: str) -> Tokens:
    file = folder / "token"
    file.write_text(text)
    return Tokens(file)


@pytest.fixture
def client(listener: HttpListener, serve: Serve) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://{HOST}:{serve(listener)}", timeout=20) as one:
        yield one


def post(client: httpx.Client, body: bytes, kind: str = "text/plain", **headers: str) -> httpx.Response:
    return client.post("/v1/logs", content=body, headers={"content-type": kind, **headers})


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("text/plain", b"<13>a\r\n\n<13>b", ["<13>a", "<13>b"]),
        ("text/plain; charset=utf-8", "é\n".encode(), ["é"]),
        ("", b"a\n", ["a"]),
        ("application/x-www-form-urlencoded", b"a=b&c\n", ["a=b&c"]),
        ("text/plain", b"\xff\n", ["\udcff"]),
        ("application/x-ndjson", b'{"msg": "x", "n": 1}\n\n"<13>raw"\n', ['{"msg":"x","n":1}', "<13>raw"]),
        ("application/json", b'["<13>a", {"msg": "b"}]', ["<13>a", '{"msg":"b"}']),
        ("application/json", b'{"msg": "one"}', ['{"msg":"one"}']),
    ],
)
def test_lines_are_on_disk_when_it_answers(
    client: httpx.Client, spool: Spool, kind: str, body: bytes, expected: list[str]
) -> None:
    answer = post(client, body, kind)
    assert (answer.status_code, answer.json()) == (200, {"accepted": len(expected), "rejected": 0})
    got = Collected(spool)
    assert got.lines == expected
    assert got.batches[0].listener == "http"
    assert got.batches[0].late
    assert got.batches[0].peers is not None
    assert set(got.batches[0].peers) == {HOST}


def test_gzip_is_unpacked_also_with_several_members(client: httpx.Client, spool: Spool) -> None:
    body = gzip.compress(b"a\n") + gzip.compress(b"b\n")
    assert post(client, body, **{"content-encoding": "gzip"}).json() == {"accepted": 2, "rejected": 0}
    assert Collected(spool).lines == ["a", "b"]


def test_bad_lines_of_a_request_are_kept_with_the_reason(client: httpx.Client, spool: Spool) -> None:
    body = b'{"msg": "a"}\nnot json\n42\n"' + b"x" * (MAX_LINE_BYTES + 1) + b'"\n'
    assert post(client, body, "application/x-ndjson").json() == {"accepted": 1, "rejected": 3}
    got = Collected(spool)
    assert got.lines == ['{"msg":"a"}']
    assert sorted(reason.split(":")[0] for reason in got.reasons) == [
        "line of 65537 bytes is longer than 65536",
        "not a JSON string or object",
        "not a JSON string or object",
    ]


BOMB = gzip.compress(b"\0" * 50_000_000, mtime=0)  # in the name of a test: the same in every process
ZSTD_BOMB = zstandard.compress(b"\0" * 50_000_000)


@pytest.mark.parametrize(
    ("kind", "body", "headers", "status", "words"),
    [
        ("text/plain", b"", {}, 400, "no lines"),
        ("application/json", b"[1, 2]", {}, 400, "found int, expected a string or an object"),
        ("application/json", b'"just text"', {}, 400, "found str, expected an array"),
        ("application/json", b'["a", ', {}, 400, "not what its Content-Type says"),
        ("application/json", b'["\xff"]', {}, 400, "not what its Content-Type says"),
        ("text/plain", b"not gzip", {"content-encoding": "gzip"}, 400, "not valid gzip"),
        ("text/plain", gzip.compress(b"a\n" * 999, mtime=0)[:-20], {"content-encoding": "gzip"}, 400, "breaks off"),
        ("text/plain", BOMB, {"content-encoding": "gzip"}, 413, "4,000,000"),
        ("text/plain", b"x" * 2_000_001, {}, 413, "2,000,000"),
        ("image/png", b"a", {}, 415, "image/png"),
        ("text/plain", b"a", {"content-encoding": "br"}, 415, "br"),
        ("text/plain", b"not zstd", {"content-encoding": "zstd"}, 400, "not valid zstd"),
        ("text/plain", zstandard.compress(b"a\n" * 999)[:-5], {"content-encoding": "zstd"}, 400, "breaks off"),
        ("text/plain", ZSTD_BOMB, {"content-encoding": "zstd"}, 413, "4,000,000"),
    ],
)
def test_a_bad_request_gets_a_clear_error_and_leaves_nothing(
    client: httpx.Client, spool: Spool, kind: str, body: bytes, headers: dict[str, str], status: int, words: str
) -> None:
    answer = post(client, body, kind, **headers)
    assert answer.status_code == status
    assert words in answer.json()["error"]
    assert Collected(spool).count == 0


def test_a_body_of_unknown_length_is_limited_too(client: httpx.Client) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(100):
            yield b"x" * 100_000

    try:
        status = client.post("/v1/logs", content=endless()).status_code
    except httpx.WriteError:  # it closed the connection before everything was sent
        status = 413
    assert status == 413


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/v1/logs", 405), ("POST", "/", 404)])
def test_other_requests_are_told_where_to_go(client: httpx.Client, method: str, path: str, status: int) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert "POST /v1/logs" in answer.json()["error"]


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health(client: httpx.Client, path: str) -> None:
    assert client.get(path).json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("header", "status"),
    [(None, 401), ("Bearer wrong", 401), ("Basic secret", 401), ("Bearer", 401), ("bearer secret", 200)],
)
def test_a_token_is_asked_for(spool: Spool, serve: Serve, tmp_path: Path, header: str | None, status: int) -> None:
    port = serve(HttpListener("http", bind("tcp", HOST, 0), spool, tokens=tokens(tmp_path, "secret")))
    headers = {} if header is None else {"authorization": header}
    answer = httpx.post(f"http://{HOST}:{port}/v1/logs", content=b"a\n", headers=headers)
    assert answer.status_code == status
    assert Collected(spool).count == (1 if status == 200 else 0)
    if status == 401:
        assert answer.headers["www-authenticate"] == "Bearer"


def test_a_crowded_spool_asks_to_come_back(tmp_path: Path, serve: Serve) -> None:
    limits = SpoolLimits(disk_bytes=100_000, segment_bytes=50_000)
    with Spool(tmp_path / "spool", limits=limits) as spool:
        port = serve(HttpListener("http", bind("tcp", HOST, 0), spool))
        url = f"http://{HOST}:{port}"
        assert httpx.post(f"{url}/v1/logs", content=b"line\n" * 40_000).status_code == 200
        wait_for(lambda: spool.crowded)
        answer = httpx.post(f"{url}/v1/logs", content=b"line\n")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert "has not yet read" in answer.json()["error"]
        assert httpx.get(f"{url}/readyz").status_code == 503
        assert httpx.get(f"{url}/healthz").status_code == 200
        spool.append("other", [b"x"])  # a new segment, so that the old ones can go
        spool.durable().result(10)
        spool.consumed(spool.end_block)
        wait_for(lambda: not spool.crowded)
        assert httpx.post(f"{url}/v1/logs", content=b"line\n").status_code == 200


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_curl_line_of_the_banner_works(client: httpx.Client, collect: Collect, tmp_path: Path) -> None:
    file = tmp_path / "syslog"
    file.write_text("one & 100%\ntwo=2\n")
    url = f"{client.base_url}/v1/logs"
    done = subprocess.run(["curl", "-sS", "--data-binary", f"@{file}", url], capture_output=True, check=True)
    assert json.loads(done.stdout) == {"accepted": 2, "rejected": 0}
    assert collect(2).lines == ["one & 100%", "two=2"]


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        ("text/plain", b"ab\n" * 100_001, "100,000 lines"),
        ("application/x-ndjson", b"{}\n" * 100_001, "100,000 lines"),
        ("application/json", b"[" + b"{}," * 100_000 + b"{}]", "100,000 lines"),
        ("application/json", b'[{"a":[' + b"[]," * 2_000_000 + b"[]]}]", "4,000,000 values"),
    ],
)
def test_a_small_request_cannot_become_many_lines(
    spool: Spool, serve: Serve, kind: str, body: bytes, words: str
) -> None:
    port = serve(HttpListener("http", bind("tcp", HOST, 0), spool))
    headers = {"content-type": kind, "content-encoding": "gzip"}
    answer = httpx.post(f"http://{HOST}:{port}/v1/logs", content=gzip.compress(body), headers=headers, timeout=60)
    assert answer.status_code == 413
    assert words in answer.json()["error"]
    assert Collected(spool).count == 0


def test_many_short_lines_make_the_spool_crowded(tmp_path: Path) -> None:
    """What waits is counted as the memory that it takes, not as its bytes alone."""
    spool = Spool(tmp_path / "spool", limits=SpoolLimits(waiting_bytes=1_000_000))  # its writer is not started
    spool.append("http", [b"ab"] * 20_000)
    assert spool.crowded
    spool.close()


def test_json_nested_too_deep_is_a_bad_line_among_good_ones(client: httpx.Client, spool: Spool) -> None:
    deep = b'{"a":' + b"[" * 300 + b"]" * 300 + b"}"
    answer = post(client, b'{"msg": "good"}\n' + deep, "application/x-ndjson")
    assert (answer.status_code, answer.json()) == (200, {"accepted": 1, "rejected": 1})
    got = Collected(spool)
    assert got.lines == ['{"msg":"good"}']
    assert "Recursion limit" in got.reasons[0]
    assert post(client, b"[" + deep + b"]", "application/json").status_code == 400


def test_a_json_line_that_cannot_be_a_line_is_not_taken_apart(client: httpx.Client, spool: Spool) -> None:
    huge = b'{"a":[' + b"[]," * 200_000 + b"[]]}"
    assert post(client, huge, "application/x-ndjson").json() == {"accepted": 0, "rejected": 1}
    assert Collected(spool).reasons == [f"line of {len(huge)} bytes is longer than {MAX_LINE_BYTES}"]


def test_a_sender_that_goes_away_is_counted_and_leaves_no_traceback(
    listener: HttpListener, client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_connection((HOST, int(client.base_url.port or 0))) as sock:
        sock.sendall(b"POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf a")
    wait_for(lambda: listener.counts.refused == 1)
    assert client.get("/healthz").status_code == 200
    assert "Traceback" not in caplog.text
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_spool_whose_writer_has_stopped_is_no_server_error(
    tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Spool(tmp_path / "spool") as spool:
        port = serve(HttpListener("http", bind("tcp", HOST, 0), spool))
        monkeypatch.setattr(spool, "_write", _fail)
        answer = httpx.post(f"http://{HOST}:{port}/v1/logs", content=b"a\n", timeout=20)
        assert answer.status_code == 503
        assert "RuntimeError: no such luck" in answer.json()["error"]


def _fail(*_: object) -> None:
    raise RuntimeError("no such luck")


def test_silent_connections_are_closed_so_that_others_can_send(
    spool: Spool, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logwarden.ingest.listener.MAX_CONNECTIONS", 5)
    monkeypatch.setattr("logwarden.ingest.protocol.HEAD_SECONDS", 1.0)
    port = serve(HttpListener("http", bind("tcp", HOST, 0), spool))
    with ExitStack() as opened:
        idle = [opened.enter_context(socket.create_connection((HOST, port), timeout=20)) for _ in range(6)]
        idle[0].sendall(b"POST /v1/logs HTTP/1.1\r\nhost: ")  # and nothing more
        assert [one.recv(1) for one in idle] == [b""] * len(idle)
        url = f"http://{HOST}:{port}/v1/logs"
        assert httpx.post(url, content=b"a", headers={"content-type": "text/plain"}, timeout=20).status_code < 300
