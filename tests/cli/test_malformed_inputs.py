"""Wrong input of every kind gives one clear message and a code that is not zero, or a rejected record; no traceback."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from logwarden.cli import root
from logwarden.revisions import open_revision, write_revision
from logwarden.store import Store

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 120.0
GOOD = "<13>Oct 11 22:14:15 r1 app: hello"


Run = Callable[..., "subprocess.CompletedProcess[str]"]
Refusal = Callable[..., str]


@pytest.fixture
def logwarden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line in the test's folder, in this process: there are many, and most of each would be its start."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOGWARDEN_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "300")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        capsys.readouterr()
        code = root.run([*arguments])
        return subprocess.CompletedProcess(arguments, code, *capsys.readouterr())

    return run


def start(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command line as a process of its own."""
    command = [sys.executable, "-m", "logwarden", *arguments]
    environment = os.environ | {"LOGWARDEN_DATA_DIR": str(folder / "data"), "COLUMNS": "300"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=SECONDS
    )


@pytest.fixture
def refusal(logwarden: Run) -> Refusal:
    """Run a command that must fail; return what it says: one line, or a line for each of several mistakes."""

    def run(*arguments: str) -> str:
        done = logwarden(*arguments)
        assert done.returncode in (1, 2), done
        assert "Traceback" not in done.stderr + done.stdout
        head, *more = done.stderr.strip().splitlines()
        assert head.startswith("logwarden: error: ")
        assert not more or re.fullmatch(r"logwarden: error: \d+ mistakes:", head), done.stderr
        return done.stderr

    return run


# ---------------------------------------------------------------------- YAML

PIPELINE = """\
apiVersion: logwarden.dev/v1alpha1
kind: LogPipeline
metadata: {name: edge}
spec:
  detect: {modelRef: {name: edge}}
"""
MODEL = """\
---
apiVersion: logwarden.dev/v1alpha1
kind: AnomalyModel
metadata: {name: edge}
spec: {base: {model: builtin}}
"""
COLLECT = "  collect: {syslog: {listeners: [%s]}}\n"
UDP = "{name: a, transport: UDP, port: 514}"


def pipeline(extra: str) -> str:
    return PIPELINE + extra + MODEL


BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))

YAML = {
    "empty": ("", "no document found"),
    "text": ("just text\n", "1:1: found 'just text', allowed: an object"),
    "list": ("- 1\n- 2\n", "1:1: found"),
    "open-bracket": ("kind: [LogPipeline\n", "2:1: not valid YAML"),
    "open-quote": ('kind: "Log', "not valid YAML while scanning a quoted scalar"),
    "tab": ("\tkind: LogPipeline\n", "1:1: found a tab: YAML is indented with spaces"),
    "nul": ("kind: \0\n", "U+0000 is not allowed"),
    "latin-1": (b"kind: \xe9t\xe9\n", "the byte 0xe9 is not UTF-8"),
    "compressed": (gzip.compress(b"kind: LogPipeline\n"), "is not UTF-8"),
    "deep": ("[" * 20_000, "nested more than 50 levels deep"),
    "bomb": (BOMB, "values once aliases are expanded"),
    "tagged": ("kind: !!python/object/apply:os.system [id]\n", "1:7: kind: found a list"),
    "twice": ("kind: LogPipeline\nkind: LogPipeline\n", "2:1: kind: this key stands twice"),
    "no-version": ("kind: LogPipeline\nmetadata: {name: x}\n", "1:1: apiVersion: is missing"),
    "other-version": (PIPELINE.replace("v1alpha1", "v9"), "1:13: apiVersion: found 'logwarden.dev/v9'"),
    "other-kind": (
        PIPELINE.replace("LogPipeline", "Pod"),
        "2:7: kind: found 'Pod', allowed: AnomalyModel",
    ),
    "no-model": (PIPELINE, "spec.detect.modelRef.name: no AnomalyModel named 'edge'"),
    "misspelt": (pipeline("  colect: {}\n"), "6:3: spec.colect: "),
    "text-for-number": (pipeline(COLLECT % UDP.replace("514", "five")), "port: found 'five'"),
    "port-too-high": (pipeline(COLLECT % UDP.replace("514", "70000")), "port: found 70000, allowed: "),
    "transport": (pipeline(COLLECT % UDP.replace("UDP", "SCTP")), "found 'SCTP', allowed: UDP, TCP, TLS"),
    "same-port": (pipeline(COLLECT % f"{UDP}, {UDP.replace('name: a', 'name: b')}"), "two listeners share a port"),
    "tls-without-secret": (pipeline(COLLECT % UDP.replace("UDP", "TLS")), "transport TLS needs tlsSecretRef"),
}


@pytest.mark.parametrize(("content", "words"), YAML.values(), ids=YAML)
def test_yaml(tmp_path: Path, refusal: Refusal, content: str | bytes, words: str) -> None:
    (tmp_path / "p.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    message = refusal("up", "-f", "p.yaml", "--check")
    assert "p.yaml" in message
    assert words in message


# ---------------------------------------------------------------------- model

Damage = Callable[[Path], object]


def rehashed(name: str, content: str) -> Damage:
    """A file with other content and a manifest that vouches for it: only loading can find out."""

    def damage(folder: Path) -> None:
        (folder / name).write_text(content)
        manifest = open_revision("builtin").manifest
        fields = manifest.model_dump(mode="json", by_alias=True, exclude={"id", "digest", "files"})
        (folder / "manifest.json").unlink()
        written = write_revision(folder.parent / "registry", folder, fields)
        shutil.copytree(written.path, folder, dirs_exist_ok=True)

    return damage


def cut(name: str, size: int) -> Damage:
    return lambda folder: os.truncate(folder / name, size)


def manifest(content: str | bytes) -> Damage:
    return lambda folder: (folder / "manifest.json").write_bytes(
        content if isinstance(content, bytes) else content.encode()
    )


def other_schema(folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 99}))


MODELS: dict[str, tuple[Damage, str]] = {
    "no-folder": (shutil.rmtree, "not a model revision: it has no manifest.json"),
    "no-manifest": (lambda folder: (folder / "manifest.json").unlink(), "it has no manifest.json"),
    "manifest-cut": (cut("manifest.json", 100), "manifest.json: not valid JSON"),
    "manifest-not-text": (manifest(b"\xff\xfe\x00"), "manifest.json: not valid JSON"),
    "manifest-empty-object": (manifest("{}"), "manifest.json: id: Field required"),
    "manifest-list": (manifest("[]"), "manifest.json: "),
    "manifest-of-the-future": (other_schema, "schema_version: Input should be 1"),
    "file-missing": (lambda folder: (folder / "templates.json").unlink(), "missing templates.json: copy"),
    "file-cut": (cut("language/encoder.onnx", 1000), "encoder.onnx: 1000 bytes, "),
    "file-changed": (
        lambda folder: (folder / "ensemble.json").write_bytes(
            (folder / "ensemble.json").read_bytes().replace(b"0", b"1", 1)
        ),
        "ensemble.json: ",
    ),
    "ensemble-empty": (rehashed("ensemble.json", "{}"), "ensemble.json"),
    "ensemble-not-json": (rehashed("ensemble.json", "["), "ensemble.json"),
    "templates-not-json": (rehashed("templates.json", "{"), "templates"),
    "network-garbage": (rehashed("language/encoder.onnx", "garbage"), "encoder.onnx"),
    "tokenizer-empty": (rehashed("language/tokenizer.json", "{}"), "tokenizer"),
}


@pytest.mark.parametrize(("damage", "words"), MODELS.values(), ids=MODELS)
def test_model(tmp_path: Path, refusal: Refusal, damage: Damage, words: str) -> None:
    (tmp_path / "good.log").write_text(GOOD + "\n")
    shutil.copytree(open_revision("builtin").path, tmp_path / "model")
    damage(tmp_path / "model")
    assert words in refusal("detect", "good.log", "--model", "./model")


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("0123456789ab", "no model revision '0123456789ab'"),
        ("ftp://host/model", "found ftp://, allowed: file://"),
        ("./good.log", "not a model revision"),
    ],
)
def test_model_reference(tmp_path: Path, refusal: Refusal, reference: str, words: str) -> None:
    (tmp_path / "good.log").write_text(GOOD + "\n")
    assert words in refusal("detect", "good.log", "--model", reference)


# ---------------------------------------------------------------------- data


def with_files(**contents: str | bytes) -> Damage:
    """Write files; ``__`` in a name stands for ``/``."""

    def write(folder: Path) -> None:
        for name, content in contents.items():
            path = folder / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())

    return write


RECORDED = gzip.compress(f"2026-03-01T12:00:00Z\t10.0.0.1\tudp\t{GOOD}\n".encode() * 500)
PACKED = gzip.compress(f"{GOOD}\n".encode() * 500)
UP = ("up", "-f", str(ROOT / "examples" / "quickstart.yaml"), "--no-dashboard", "--data-dir", "d")
PORTS = ("--port=udp=0", "--port=tcp=0", "--port=http=0")

DATA: dict[str, tuple[Damage, tuple[str, ...], str]] = {
    "gzip-cut": (with_files(x=PACKED[:-20]), ("detect", "x"), "x: broken after line"),
    "gzip-garbage": (with_files(x=b"\x1f\x8bgarbage"), ("detect", "x"), "x: broken after line 0"),
    "missing": (with_files(), ("detect", "x"), "no such file: x"),
    "pattern": (with_files(), ("detect", "*.log"), "no file matches *.log"),
    "folder": (with_files(x__y="y"), ("detect", "x"), "x is a folder: name its files"),
    "followed-gzip": (with_files(x=PACKED), ("detect", "--follow", "x"), "cannot follow x: it is compressed"),
    "store-garbage": (with_files(s="garbage", x=GOOD), ("detect", "x", "--store", "s"), "it is not an SQLite file"),
    "store-missing": (with_files(), ("anomalies", "--store", "s"), "`logwarden up -f FILE` or"),
    "output-folder": (with_files(x=GOOD), ("detect", "x", "--output", "no/o"), "there is no folder no"),
    "replay-plain": (with_files(x=GOOD), (*UP, *PORTS, "--replay", "x"), "x has no recorded line"),
    "replay-cut": (
        with_files(**{"x__meta.json": "{}", "x__lines.log.gz": RECORDED[:-20]}),
        (*UP, *PORTS, "--replay", "x"),
        "lines.log.gz: broken after line",
    ),
    "no-recordings": (with_files(x__y="y"), ("evaluate", "--data", "x"), "no recording named"),
    "too-few-lines": (with_files(x=GOOD), ("evaluate", "--data", "x", "--format", "lines"), "too few to learn from"),
    "format": (with_files(x=GOOD), ("evaluate", "--data", "x", "--format", "odd"), "'odd' is not one of"),
}


@pytest.mark.parametrize(("prepare", "command", "words"), DATA.values(), ids=DATA)
def test_data(tmp_path: Path, prepare: Damage, command: tuple[str, ...], words: str) -> None:
    """Each in a process of its own: an input is read by threads and processes too, which have to end."""
    prepare(tmp_path)
    done = start(tmp_path, *command)
    assert done.returncode in (1, 2), done
    assert "Traceback" not in done.stderr + done.stdout
    errors = [line for line in done.stderr.splitlines() if line.startswith("logwarden: error: ")]
    assert len(errors) == 1, done.stderr
    assert words in errors[0]


# ---------------------------------------------------------------------- lines of files

LINES = {
    "empty-line": (b"\n", "empty line"),
    "blank-line": (b"   \n", "empty line"),
    "only-a-priority": (b"<13>\n", "nothing after the priority"),
    "control-characters": (b"\x00\x01\x02\x03" * 30 + b"\n", "not text"),
    "random-bytes": (bytes(range(128, 256)) * 3 + b"\n", "not text"),
    "too-long": (b"<13>" + b"x" * 70_000 + b"\n", "longer than 65536 characters"),
}


@pytest.mark.parametrize(("line", "reason"), LINES.values(), ids=LINES)
def test_syslog_line_of_a_file(tmp_path: Path, logwarden: Run, line: bytes, reason: str) -> None:
    (tmp_path / "x.log").write_bytes(f"{GOOD}\n".encode() + line + f"{GOOD}\n".encode())
    done = logwarden("detect", "x.log", "--store", "s.db", "--summary", "-")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    counts = json.loads(done.stdout)
    assert (counts["lines"], counts["rejected"]) == (3, 1)
    with Store.open(tmp_path / "s.db", read_only=True) as store:
        (rejected,) = store.rejected()
    assert reason in rejected.reason
    assert (rejected.stream, rejected.position) == (f"file:{tmp_path / 'x.log'}", 2)


# ---------------------------------------------------------------------- a running pipeline


class Running:
    """A running ``logwarden up``: where it listens, and what its store holds."""

    def __init__(self, folder: Path) -> None:
        self.store = folder / "d" / "logwarden.db"
        command = [sys.executable, "-m", "logwarden", *UP, *PORTS]
        environment = os.environ | {"LOGWARDEN_DATA_DIR": str(folder / "data")}
        self.process = subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)
        self.output: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()
        self.url = self._wait_for(r"HTTP +(http://\S+)")
        self.tcp = int(self._wait_for(r"syslog TCP.*:(\d+)"))
        self.udp = int(self._wait_for(r"syslog UDP.*:(\d+)"))
        self._wait_for("(Stop with)")

    def _read(self) -> None:
        assert self.process.stderr is not None
        self.output.extend(iter(self.process.stderr.readline, ""))

    def _wait_for(self, pattern: str) -> str:
        until = time.monotonic() + SECONDS
        while not (found := re.search(pattern, "".join(self.output))):
            assert time.monotonic() < until, self.output
            assert self.process.poll() is None, self.output
            time.sleep(0.05)
        return found[1]

    def reasons(self) -> list[str]:
        with Store.open(self.store, read_only=True) as store:
            return [row.reason for row in store.rejected(limit=1000)]

    def wait_for_reason(self, words: str) -> None:
        until = time.monotonic() + SECONDS
        while not any(words in reason for reason in self.reasons()):
            assert time.monotonic() < until, self.reasons()
            time.sleep(0.1)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The same pipeline for all that follows: none of it may end it."""
    one = Running(tmp_path_factory.mktemp("up"))
    yield one
    assert one.process.poll() is None
    assert httpx.post(one.url, content=GOOD).json() == {"accepted": 1, "rejected": 0}
    one.process.send_signal(signal.SIGTERM)
    assert one.process.wait(SECONDS) == 0
    assert one.process.stderr is not None
    one.process.stderr.close()
    assert "Traceback" not in "".join(one.output)


JSON = {"Content-Type": "application/json"}
NDJSON = {"Content-Type": "application/x-ndjson"}
GZIP = {"Content-Encoding": "gzip"}

REQUESTS: dict[str, tuple[dict[str, str], bytes, int, str]] = {
    "unfinished": (JSON, b'[{"host": "r1"', 400, "not what its Content-Type says"),
    "number": (JSON, b"5", 400, "found int, expected an array of strings or objects"),
    "list-of-numbers": (JSON, b"[1, 2]", 400, "found int, expected a string or an object"),
    "null": (JSON, b"null", 400, "found NoneType"),
    "deep": (JSON, b"[" * 100_000, 400, "depth limit exceeded"),
    "not-utf-8": (JSON, b'["\xff\xfe"]', 400, "not valid UTF-8"),
    "empty": ({}, b"", 400, "the body has no lines"),
    "unknown-type": ({"Content-Type": "image/png"}, b"x", 415, "use text/plain, application/x-ndjson,"),
    "unknown-coding": ({"Content-Encoding": "br"}, b"x", 415, "use gzip or zstd, or none"),
    "no-gzip": (GZIP, b"plain text", 400, "not valid gzip"),
    "gzip-cut": (GZIP, PACKED[:-20], 400, "not valid gzip"),
    "too-large": ({}, b"x" * (17 * 1024 * 1024), 413, "send it in parts"),
}


@pytest.mark.parametrize(("headers", "body", "status", "words"), REQUESTS.values(), ids=REQUESTS)
def test_json_request(running: Running, headers: dict[str, str], body: bytes, status: int, words: str) -> None:
    answer = httpx.post(running.url, content=body, headers=headers, timeout=SECONDS)
    assert answer.status_code == status, answer.text
    assert words in answer.json()["error"]


NDJSON_LINES = {
    "unfinished-object": (b'{"message": ', "not a JSON string or object"),
    "bare-word": (b"hello", "not a JSON string or object"),
    "array": (b'["a"]', "found list, expected a string or an object"),
    "long-string": (b'"' + b"x" * 70_000 + b'"', "is longer than 65536"),
}


@pytest.mark.parametrize(("line", "reason"), NDJSON_LINES.values(), ids=NDJSON_LINES)
def test_json_line(running: Running, line: bytes, reason: str) -> None:
    body = b'"good"\n' + line + b'\n{"message": "good"}\n'
    answer = httpx.post(running.url, content=body, headers=NDJSON, timeout=SECONDS)
    assert answer.json() == {"accepted": 2, "rejected": 1}
    running.wait_for_reason(reason)


STREAMS = {
    "frame-that-breaks-off": (b"100 <13>short", "connection closed after 9 of 100 bytes"),
    "frame-too-long": (b"70000 <13>" + b"x" * 69_996, "70000 bytes"),
    "line-too-long": (b"<13>" + b"y" * 80_000 + b"\n", "bytes"),
}


@pytest.mark.parametrize(("data", "reason"), STREAMS.values(), ids=STREAMS)
def test_syslog_stream(running: Running, data: bytes, reason: str) -> None:
    with socket.create_connection(("127.0.0.1", running.tcp), timeout=SECONDS) as connection:
        connection.sendall(data)
    running.wait_for_reason(reason)


def test_syslog_datagram(running: Running) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"", ("127.0.0.1", running.udp))
    running.wait_for_reason("empty datagram")
