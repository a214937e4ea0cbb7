"""Commands, a running pipeline and the pages with a PostgreSQL."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from logwarden.cli.root import run
from logwarden.dashboard import launch
from logwarden.store import Store
from tests.services.ports import free_port
from tests.services.postgres import PASSWORD, Server

pytestmark = pytest.mark.postgres

SECONDS = 90.0
PIPELINE = """\
apiVersion: logwarden.dev/v1alpha1
kind: AnomalyModel
metadata: {name: m}
spec: {}
---
apiVersion: logwarden.dev/v1alpha1
kind: LogPipeline
metadata: {name: m}
spec:
  collect: {syslog: {listeners: [{name: tcp, transport: TCP, port: 5514}]}}
  detect: {modelRef: {name: m}}
  store: {databaseSecretRef: {name: db, key: uri}}
"""


def line(second: int) -> str:
    return f"<38>Mar  1 12:{second // 60:02}:{second % 60:02} srv1 sshd[7]: Failed password for root from 203.0.113.9"


def test_detect_and_anomalies_use_it(postgres: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = postgres.new_database()
    logs = tmp_path / "logs"
    logs.write_text("".join(f"{line(second % 3600)}\n" for second in range(2000)))
    for _ in range(2):
        assert run(["detect", str(logs), "--store", url]) == 0
    with Store.open(url, read_only=True) as store:
        totals = store.totals()
    assert totals.lines == 2000
    assert totals.anomalies > 0
    capsys.readouterr()
    assert run(["anomalies", "--store", url, "--format", "ndjson", "--limit", "1000"]) == 0
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == totals.anomalies
    assert PASSWORD not in captured.out + captured.err


def test_a_pipeline_keeps_its_results_in_the_database_that_its_secret_names(postgres: Server, tmp_path: Path) -> None:
    url = postgres.new_database()
    (tmp_path / "secrets" / "db").mkdir(parents=True)
    (tmp_path / "secrets" / "db" / "uri").write_text(f"{url}\n")
    file = tmp_path / "p.yaml"
    file.write_text(PIPELINE)
    port = free_port()
    up = subprocess.Popen(
        [
            *(sys.executable, "-m", "logwarden", "up", "-f", str(file), "--no-dashboard", "--port", f"tcp={port}"),
            *("--data-dir", str(tmp_path / "data"), "--secrets", str(tmp_path / "secrets")),
        ],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"HOME": str(tmp_path)},
    )
    try:
        _send(port, "".join(f"{line(second)}\n" for second in range(100)))
        _wait_for_lines(url, 100)
    finally:
        up.send_signal(signal.SIGINT)
        _, told = up.communicate(timeout=SECONDS)
    assert up.returncode == 0, told
    assert "databaseSecretRef" not in told
    assert not list(tmp_path.glob("data/*.db"))
    assert "p%3F" not in told
    assert PASSWORD not in told


def _send(port: int, text: str) -> None:
    until = time.monotonic() + SECONDS
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(text.encode())
                return
        except ConnectionError:
            assert time.monotonic() < until
            time.sleep(0.2)


def _wait_for_lines(url: str, lines: int) -> None:
    until = time.monotonic() + SECONDS
    with Store.open(url) as store:
        while store.totals().lines < lines:
            assert time.monotonic() < until, store.totals()
            time.sleep(0.2)


def test_the_pages_start_with_it(postgres: Server) -> None:
    url = postgres.new_database()
    Store.open(url).close()
    port = free_port()
    pages = launch(url, port=port)
    try:
        until = time.monotonic() + SECONDS
        while True:
            try:
                assert httpx.get(f"http://127.0.0.1:{port}/_stcore/health").status_code == 200
                break
            except httpx.TransportError:
                assert time.monotonic() < until
                time.sleep(0.2)
        command = Path(f"/proc/{pages.pid}/cmdline").read_text()
        assert "logs:" not in command
    finally:
        pages.terminate()
        pages.communicate(timeout=SECONDS)
