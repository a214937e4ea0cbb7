"""Starting the dashboard as a process of its own."""

from __future__ import annotations

import ipaddress
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

from logwarden.errors import LogwardenError

STORE_VARIABLE: Final = "LOGWARDEN_STORE"
"""Environment variable that tells the page script where the store is: a URL may hold a password, which has no place in
an argument list that every user of the machine can read."""

_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


def launch(store_url: str | Path, address: str = "127.0.0.1", port: int = 8501) -> subprocess.Popen[bytes]:
    """Start the dashboard for a store; it answers after a second or two.

    The process ends when the one that started it ends, however that happens, or by ``terminate()``.

    Parameters
    ----------
    store_url
        Path or SQLAlchemy URL of the store. It may appear later: the pages wait for it.
    address, port
        Where the pages are served. Only this machine reaches a loopback address; any other is open to the network
        without a password.

    Raises
    ------
    LogwardenError
        The port cannot be used.
    """
    _check_free(address, port)
    environment = os.environ | {STORE_VARIABLE: str(store_url)}
    command = [sys.executable, "-m", "logwarden.dashboard", *_options(address, port)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environment)


def _check_free(address: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise LogwardenError(
                f"the dashboard cannot use {address} port {port}: {error.strerror}; choose another address or port"
            ) from error


def _options(address: str, port: int) -> list[str]:
    """Return Streamlit options that only the caller knows; the others are in .streamlit/config.toml."""
    options = [f"--server.address={address}", f"--server.port={port}"]
    if _is_loopback(address):
        # A page on the web may point its own name at 127.0.0.1: answer to our own names only.
        options += [f"--server.allowedHosts={name}" for name in _LOOPBACK_NAMES]
    return options


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
