"""What a person sees of a running pipeline in the terminal."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from typing import TextIO

from logwarden import __version__
from logwarden.api.record import AnomalyRecord
from logwarden.local.commands import url
from logwarden.local.ports import Endpoint

_SYSLOG = ("udp", "tcp", "tls")


def banner(
    *, pipeline: str, revision: str, endpoints: Sequence[Endpoint], commands: Sequence[str], store: str, replaying: str
) -> str:
    """Return the text that says what listens where and how to feed it."""
    lines = [f"Logwarden {__version__}: pipeline {pipeline}, model revision {revision}", ""]
    lines += [f"  {_label(endpoint):<22}{_where(endpoint)}" for endpoint in endpoints]
    lines += [f"  {'results':<22}{store}"]
    if commands:
        lines += ["", "Send it a line:", *(f"  {command}" for command in commands)]
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
    parts = [f"{lines:,} line{'s' * (lines != 1)}", f"{anomalies:,} anomal{'y' if anomalies == 1 else 'ies'}"]
    if newest is not None:
        when = newest.start.astimezone().strftime("%H:%M:%S")
        parts.append(f"newest {when} {newest.source.host} {newest.category.replace('_', ' ')} {newest.score:.2f}")
    return " · ".join([*parts, *notes])


def _label(endpoint: Endpoint) -> str:
    if endpoint.protocol == "page":
        return "dashboard"
    if endpoint.protocol in _SYSLOG:
        return f"syslog {endpoint.protocol.upper()} ({endpoint.name})"
    return endpoint.protocol.upper()


def _where(endpoint: Endpoint) -> str:
    return str(endpoint) if endpoint.protocol in _SYSLOG else url(endpoint)
