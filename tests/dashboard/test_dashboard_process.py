"""The dashboard as a process: it takes a port, and it never outlives its owner."""

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

from logwarden.dashboard import launch
from logwarden.errors import LogwardenError
from tests.dashboard.conftest import free_port

OWNER = """
import sys, time
from logwarden.dashboard import launch
launch(sys.argv[1], port=int(sys.argv[2]))
time.sleep(1000)
"""


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/_stcore/health").status_code == 200
    except httpx.TransportError:
        return False


def wait_for(wanted: bool, port: int) -> bool:
    end = time.monotonic() + 120
    while answers(port) is not wanted and time.monotonic() < end:
        time.sleep(0.1)
    return answers(port) is wanted


def test_it_ends_when_its_owner_is_killed(tmp_path: Path) -> None:
    port = free_port()
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path / "s.db"), str(port)])
    try:
        assert wait_for(True, port)
    finally:
        os.kill(owner.pid, signal.SIGKILL)
        owner.wait()
    assert wait_for(False, port)


HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


def handshake(port: int, headers: dict[str, str]) -> int:
    return httpx.get(f"http://127.0.0.1:{port}/_stcore/stream", headers=HANDSHAKE | headers, timeout=60).status_code


def test_a_page_of_another_site_cannot_read_it(tmp_path: Path) -> None:
    port = free_port()
    process = launch(tmp_path / "s.db", port=port)
    try:
        assert wait_for(True, port)
        assert handshake(port, {"Host": "localhost", "Origin": "http://localhost"}) == 101
        assert handshake(port, {"Host": "attacker.example"}) == 403
        assert handshake(port, {"Origin": "http://attacker.example"}) == 403
    finally:
        process.terminate()
        process.wait()
        assert process.stdin is not None
        process.stdin.close()


def test_a_taken_port_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(LogwardenError, match=f"port {port}: Address already in use; choose another"):
            launch("s.db", port=port)


def test_starting_it_does_not_import_streamlit() -> None:
    code = "import sys, logwarden.dashboard; sys.exit('streamlit' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
