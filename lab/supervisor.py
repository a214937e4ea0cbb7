"""Asks a host's supervisord for its state, without the cost of starting supervisorctl."""

from __future__ import annotations

import http.client
import socket
import xmlrpc.client
from pathlib import Path
from typing import cast


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=10)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: object) -> _Connection:
        return _Connection(self._path)


def states(socket_path: Path) -> dict[str, str]:
    """State of each program, such as RUNNING or FATAL.

    Raises
    ------
    OSError
        If supervisord does not answer.
    """
    with xmlrpc.client.ServerProxy("http://localhost", transport=_Transport(socket_path)) as proxy:
        shown = cast("list[dict[str, str]]", proxy.supervisor.getAllProcessInfo())
    return {program["name"]: program["statename"] for program in shown}
