"""What a person sees of a running pipeline in the terminal."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from typing import TextIO

from logwarden import __version__
from logwarden.api.record import AnomalyRecord
from logwarden.local.ports import Endpoint

_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound


def banner(
    *, pipeline: str, revision: str, endpoints: Sequence[Endpoint], store: str, left_out: Sequence[str], replaying: str
) -> str:
    """Return the text that says what listens where and how to feed it."""
    lines = [f"Logwarden {__version__}: pipeline {pipeline}, model revision {revision}", ""]
    lines += [f"  {_label(endpoint):<22}{_where(endpoint)}" for endpoint in endpoints]
    lines += [f"  {'results':<22}{store}"]
    lines += [f"  {name + ' (TLS)':<22}left out: TLS listeners are served in a cluster only" for name in left_out]
    lines += ["", *_hints(endpoints)]
    if replaying:
        lines += ["", replaying]
    return "\n".join([*lines, "", "Stop with Ctrl-C.", ""])


class StatusLine:
    """One line at the bottom of a terminal, rewritten in place; nothing where the output is no terminal."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()

    def show(self, text: str) -> None:
        """Replace the line."""
        if self._live:
            width = shutil.get_terminal_size().columns - 1
            self._stream.write(f"\r\x1b[K{text[:width]}")
            self._stream.flush()

    def clear(self) -> None:
        """Remove the line."""
        if self._live:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def status_text(lines: int, anomalies: int, newest: AnomalyRecord | None, notes: Sequence[str]) -> str:
    """Return the status line."""
    parts = [f"{lines:,} lines", f"{anomalies:,} anomalies"]
    if newest is not None:
        when = newest.start.astimezone().strftime("%H:%M:%S")
        parts.append(f"newest {when} {newest.source.host} {newest.category.replace('_', ' ')} {newest.score:.2f}")
    return " · ".join([*parts, *notes])


def reachable(endpoint: Endpoint) -> tuple[str, int]:
    """Return the address at which this machine reaches an endpoint."""
    return _ANY_ADDRESS.get(endpoint.host, endpoint.host), endpoint.port


def _label(endpoint: Endpoint) -> str:
    if endpoint.protocol == "page":
        return "dashboard"
    return "HTTP" if endpoint.protocol == "http" else f"syslog {endpoint.protocol.upper()} ({endpoint.name})"


def _where(endpoint: Endpoint) -> str:
    if endpoint.protocol in ("udp", "tcp"):
        return str(endpoint)
    return _url(endpoint) + ("/v1/logs" if endpoint.protocol == "http" else "")


def _url(endpoint: Endpoint) -> str:
    host, port = reachable(endpoint)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _hints(endpoints: Sequence[Endpoint]) -> list[str]:
    hints = []
    for endpoint in endpoints:
        host, port = reachable(endpoint)
        if endpoint.protocol in ("udp", "tcp"):
            hints.append(f"  logger --{endpoint.protocol} --server {host} --port {port} 'hello from this machine'")
        elif endpoint.protocol == "http":
            hints.append(f"  curl --data-binary @/var/log/syslog {_url(endpoint)}/v1/logs")
    return ["Send it logs:", *hints] if hints else []
