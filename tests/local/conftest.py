"""A recording written here, a running ``logwarden up``, and what ends up in a store."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from logwarden.detect import DetectionModel
from logwarden.revisions import open_revision
from logwarden.store import Store

MODEL = os.environ.get("LOGWARDEN_TEST_MODEL", "builtin")
"""The revision to test with: the packaged one, or the URI of another."""

SECONDS = 90.0
RECORDING_START = datetime(2026, 3, 1, 12, 0, 7, tzinfo=UTC).timestamp()

PIPELINE = f"""
apiVersion: logwarden.dev/v1alpha1
kind: AnomalyModel
metadata: {{name: test}}
spec: {{base: {{model: "{MODEL}"}}}}
---
apiVersion: logwarden.dev/v1alpha1
kind: LogPipeline
metadata: {{name: test}}
spec:
  collect:
    syslog:
      listeners:
        - {{name: udp, transport: UDP, port: 5514}}
        - {{name: tcp, transport: TCP, port: 5514}}
    http: {{enabled: true, port: 8080}}
  detect: {{modelRef: {{name: test}}}}
"""


@pytest.fixture(scope="session")
def model() -> DetectionModel:
    """The revision to test with, loaded."""
    return DetectionModel.load(open_revision(MODEL))


def raw_lines(minutes: int = 10, seed: int = 3) -> list[tuple[float, str]]:
    """Return receive time and line of a small network: life, a brute force, crashes, a host that falls silent."""
    return sorted(_raw_lines(minutes, seed), key=lambda row: row[0])


def _raw_lines(minutes: int, seed: int) -> Iterator[tuple[float, str]]:
    chance = random.Random(seed)
    for second in range(minutes * 60):
        at = RECORDING_START + second
        stamp = datetime.fromtimestamp(at, UTC).strftime("%b %e %H:%M:%S")
        for host in ("r1", "r2", "srv1", "dns1"):
            if host == "dns1" and second > 240:
                continue
            for place in range(chance.randrange(1, 3)):
                text = f"query[A] name{chance.randrange(9)}.example.net from 10.0.0.{chance.randrange(20)}"
                yield at + place / 10, f"<30>{stamp} {host} dnsmasq[{chance.randrange(99)}]: {text}"
        if 200 <= second < 260:
            for place in range(4):
                text = f"Failed password for root from 203.0.113.9 port {chance.randrange(60000)} ssh2"
                yield at + 0.5 + place / 10, f"<38>{stamp} srv1 sshd[{chance.randrange(999)}]: {text}"
        if second in (330, 331, 410):
            yield at + 0.95, f"<3>{stamp} r2 kernel: bgpd[{second}]: segfault at 18 ip 0000 error 4 in bgpd"


def write_recording(folder: Path, minutes: int = 10, seed: int = 3) -> int:
    """Write a recording; return its number of lines."""
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text("{}")
    rows = raw_lines(minutes, seed)
    with (folder / "lines.log").open("w") as file:
        for at, line in rows:
            file.write(f"{datetime.fromtimestamp(at, UTC).isoformat()}\t10.0.0.1\tudp\t{line}\n")
    return len(rows)


@pytest.fixture
def pipeline_file(tmp_path: Path) -> Path:
    """A file with a pipeline and its model."""
    path = tmp_path / "pipeline.yaml"
    path.write_text(PIPELINE)
    return path


@dataclass
class Up:
    """A running ``logwarden up`` on free ports."""

    process: subprocess.Popen[str]
    output: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """What it has printed."""
        return "".join(self.output)

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait until it prints something."""
        until = time.monotonic() + SECONDS
        while not (found := re.search(pattern, self.text)):
            assert time.monotonic() < until, self.text
            assert self.process.poll() is None, self.text
            time.sleep(0.02)
        return found

    def port(self, name: str) -> int:
        """Return the port of a line of the banner, such as ``syslog UDP``."""
        return int(self.wait_for(rf"{name}.*:(\d+)\n")[1])

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.end()

    def end(self) -> int:
        """Wait for the end and return the exit code."""
        return self.process.wait(SECONDS)


Start = Callable[..., Up]


@pytest.fixture
def up(tmp_path: Path, pipeline_file: Path) -> Iterator[Start]:
    """Start ``logwarden up`` with free ports, without dashboard; it is killed after the test."""
    running: list[Up] = []
    environment = os.environ | {"LOGWARDEN_DATA_DIR": str(tmp_path / "data"), "XDG_STATE_HOME": str(tmp_path / "state")}

    def start(*options: str, file: Path = pipeline_file, dashboard: bool = False) -> Up:
        ports = [f"--port={name}=0" for name in ("udp", "tcp", "http")]
        page = ["--port=dashboard=0"] if dashboard else ["--no-dashboard"]
        command = [sys.executable, "-m", "logwarden", "up", "-f", str(file), *ports, *page, *options]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
        one = Up(process)
        assert process.stderr is not None
        threading.Thread(target=lambda: one.output.extend(iter(process.stderr.readline, "")), daemon=True).start()
        running.append(one)
        return one

    yield start
    for one in running:
        one.process.kill()
        one.process.wait()
        if one.process.stderr is not None:
            one.process.stderr.close()


def contents(store: Path | str, *, shift: float = 0.0) -> dict[str, Any]:
    """Return all that a store holds, times moved back by ``shift`` seconds, without what tells the real time."""
    with Store.open(store, read_only=True) as opened:
        records = [_comparable(record.to_json(), shift) for record in opened.anomalies(limit=100_000)]
        cases = [_comparable(case.model_dump(mode="json"), shift) for case in opened.cases(limit=100_000)]
        totals = opened.totals()
        return {
            "records": sorted(records, key=str),
            "cases": sorted(cases, key=str),
            "rejected": [tuple(row) for row in opened.rejected(limit=100_000)],
            "lines": totals.lines,
            "units": totals.units,
        }


def _comparable(value: Any, shift: float) -> Any:
    if isinstance(value, dict):
        # The id of a silence is made from the real time; explanations come from a thread beside detection.
        hidden = {"detected", "explanation"} | ({"id", "case_id"} if shift else set())
        return {key: _comparable(item, shift) for key, item in value.items() if key not in hidden}
    if isinstance(value, list):
        return [_comparable(item, shift) for item in value]
    if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", value):
        return round(datetime.fromisoformat(value).timestamp() - shift, 3)
    return value
