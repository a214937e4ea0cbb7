"""``logwarden upload`` against a real endpoint: breaks, refusals, and every line once."""

from __future__ import annotations

import gzip
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from logwarden.ingest.listener import HttpListener
from logwarden.sources.base import MAX_LINE_BYTES
from logwarden.sources.listening import Listener, ListenerThread, bind
from logwarden.sources.spool import Spool
from tests.ingest.builders import HOST, listener, tokens
from tests.sources.conftest import Collected, wait_for

Serve = Callable[[Listener], int]
Upload = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., list[str]]:
    def build(port: int, *args: str) -> list[str]:
        state = str(tmp_path / "state.json")
        return [sys.executable, "-m", "logwarden", "upload", *args, "--url", f"http://{HOST}:{port}", "--state", state]

    return build


@pytest.fixture
def upload(command: Callable[..., list[str]]) -> Upload:
    def run(port: int, *args: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        done = command(port, *args)
        return subprocess.run(done, capture_output=True, text=True, check=False, timeout=120, input=given)

    return run


def write(path: Path, count: int, start: int = 0) -> list[str]:
    lines = [f"line {number} {'x' * 80}" for number in range(start, start + count)]
    with path.open("a") as file:
        file.writelines(f"{line}\n" for line in lines)
    return lines


def test_files_globs_and_gzip_arrive_whole(spool: Spool, serve: Serve, upload: Upload, tmp_path: Path) -> None:
    first = write(tmp_path / "a.log", 25_000)
    (tmp_path / "b.log.gz").write_bytes(gzip.compress(b"one\ntwo\r\nlast without end"))
    (tmp_path / "token").write_text("secret\n")
    port = serve(listener(spool, tokens=tokens(tmp_path / "..", "secret")))
    done = upload(port, str(tmp_path / "*.log*"), "--token-file", str(tmp_path / "token"))
    assert done.returncode == 0, done.stderr
    assert "25,003 lines of 2 files" in done.stderr
    assert Collected(spool).lines == [*first, "one", "two", "last without end"]


def test_standard_input_is_sent(spool: Spool, serve: Serve, upload: Upload) -> None:
    done = upload(serve(listener(spool)), "-", given="a\nb\n")
    assert (done.returncode, Collected(spool).lines) == (0, ["a", "b"])


def test_a_second_run_sends_only_what_was_added(spool: Spool, serve: Serve, upload: Upload, tmp_path: Path) -> None:
    port, file = serve(listener(spool)), tmp_path / "app.log"
    lines = write(file, 100)
    upload(port, str(file))
    lines += write(file, 50, 100)
    file = file.rename(tmp_path / "app.log.1")  # rotated meanwhile
    done = upload(port, str(file))
    assert "50 lines of 1 file" in done.stderr
    assert Collected(spool).lines == lines
    assert "150 lines" in upload(port, str(file), "--from-start").stderr


def test_a_new_file_of_the_same_name_is_sent_whole(spool: Spool, serve: Serve, upload: Upload, tmp_path: Path) -> None:
    port, file = serve(listener(spool)), tmp_path / "app.log"
    write(file, 10)
    upload(port, str(file))
    file.unlink()
    write(file, 20, 1000)
    assert "20 lines of 1 file" in upload(port, str(file)).stderr
    assert Collected(spool).count == 30


def test_killed_at_any_time_it_sends_every_line_once(
    spool: Spool, serve: Serve, command: Callable[..., list[str]], upload: Upload, tmp_path: Path
) -> None:
    port, file = serve(listener(spool)), tmp_path / "big.log"
    lines = write(file, 200_000)
    kills = 0
    for part in range(1, 5):
        process = subprocess.Popen(command(port, str(file)), stderr=subprocess.DEVNULL)
        target = part * 35_000
        while Collected(spool).count < target and process.poll() is None:
            time.sleep(0.01)
        kills += process.poll() is None
        process.kill()
        process.wait()
    assert kills >= 2, "it was too fast to be killed"
    assert upload(port, str(file)).returncode == 0
    assert Collected(spool).lines == lines


def test_it_waits_for_an_endpoint_that_is_away(
    spool: Spool, serve: Serve, command: Callable[..., list[str]], tmp_path: Path
) -> None:
    sock = bind("tcp", HOST, 0)
    port = sock.getsockname()[1]
    sock.close()
    write(tmp_path / "a.log", 10)
    process = subprocess.Popen(command(port, str(tmp_path / "a.log")), stderr=subprocess.PIPE, text=True)
    time.sleep(3)
    assert process.poll() is None
    serve(HttpListener("http", bind("tcp", HOST, port), spool))
    _, said = process.communicate(timeout=90)
    assert (process.returncode, "10 lines" in said) == (0, True)
    assert Collected(spool).count == 10


def test_retry_after_is_kept_and_the_same_key_is_sent_again(upload: Upload, tmp_path: Path) -> None:
    """Against an endpoint of the test that refuses twice, as no real one can be told to."""
    write(tmp_path / "a.log", 1)
    seen: list[tuple[float, str]] = []
    replies = [
        b"HTTP/1.1 429 x\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n",
        b'HTTP/1.1 200 x\r\nContent-Length: 29\r\n\r\n{"accepted": 1, "rejected":0}',
    ]
    with socket.create_server((HOST, 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection, connection.makefile("rb") as file:
                for reply in replies:
                    head = {}
                    while (line := file.readline()) != b"\r\n":
                        name, _, value = line.decode().partition(":")
                        head[name.lower()] = value.strip()
                    file.read(int(head["content-length"]))
                    seen.append((time.monotonic(), head["idempotency-key"]))
                    connection.sendall(reply)

        thread = threading.Thread(target=answer)
        thread.start()
        done = upload(server.getsockname()[1], str(tmp_path / "a.log"))
        thread.join()
    assert done.returncode == 0, done.stderr
    assert len({key for _, key in seen}) == 1
    assert seen[1][0] - seen[0][0] >= 2


def test_errors_say_what_to_do(spool: Spool, serve: Serve, upload: Upload, tmp_path: Path) -> None:
    write(tmp_path / "a.log", 1)
    (tmp_path / "token").write_text("wrong\n")
    file, port = str(tmp_path / "a.log"), serve(listener(spool, tokens=tokens(tmp_path / "..", "secret")))
    refused = upload(port, file, "--token-file", str(tmp_path / "token"))
    assert (refused.returncode, "check --token-file" in refused.stderr) == (2, True)
    assert "wrong" not in refused.stderr
    nobody = upload(1, file, "--patience", "0")
    assert (nobody.returncode, "start the same command again" in nobody.stderr) == (1, True)
    assert upload(port, str(tmp_path / "none")).returncode == 2
    (tmp_path / "state.json").write_text("{}")
    assert "is no state of an upload" in upload(port, file).stderr
    assert Collected(spool).count == 0


def test_what_cannot_be_read_does_not_keep_the_rest(spool: Spool, serve: Serve, upload: Upload, tmp_path: Path) -> None:
    ids = b"".join(f"{os.urandom(20).hex()}\n".encode() for _ in range(5000))
    data = gzip.compress(b"line\n" * 100_000 + ids)
    (tmp_path / "1.gz").write_bytes(data[:-2000])
    (tmp_path / "2.log").write_bytes(b"a\0b\n" + b"x" * 20_000_000 + b"\nlast\n")
    done = upload(serve(listener(spool)), str(tmp_path / "1.gz"), str(tmp_path / "2.log"))
    assert done.returncode == 2
    assert "1.gz: broken after byte" in done.stderr
    got = Collected(spool)
    assert got.lines[-2:] == ["a\0b", "last"]
    assert got.lines.count("line") == 100_000
    assert all(f"longer than {MAX_LINE_BYTES}" in reason for reason in got.reasons)
    assert len(got.reasons) == 1


def test_two_at_once_do_not_share_a_state(
    spool: Spool, serve: Serve, command: Callable[..., list[str]], upload: Upload, tmp_path: Path
) -> None:
    port = serve(listener(spool))
    waiting = subprocess.Popen(command(port, "-"), stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for(lambda: (tmp_path / "state.json.lock").exists())
    time.sleep(0.5)
    write(tmp_path / "a.log", 1)
    assert "another upload" in upload(port, str(tmp_path / "a.log")).stderr
    waiting.send_signal(signal.SIGINT)
    waiting.communicate(timeout=30)
    assert waiting.returncode == 130


def test_the_state_holds_no_lines_and_no_token(spool: Spool, serve: Serve, upload: Upload, tmp_path: Path) -> None:
    write(tmp_path / "a.log", 3)
    upload(serve(listener(spool)), str(tmp_path / "a.log"))
    (one,) = json.loads((tmp_path / "state.json").read_text())["files"]
    assert set(one) == {"id", "path", "done", "head", "tail", "sending"}


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool(tmp_path / "spool") as running:
        yield running


@pytest.fixture
def serve() -> Iterator[Serve]:
    threads: list[ListenerThread] = []

    def start(one: Listener) -> int:
        threads.append(ListenerThread([one]))
        port = int(one.socket.getsockname()[1])
        threads[-1].start()
        return port

    yield start
    for thread in threads:
        thread.stop()
