"""Endpoints on real ports, and requests for them."""

from __future__ import annotations

from pathlib import Path

from logwarden.ingest.limits import Limits
from logwarden.ingest.listener import HttpListener
from logwarden.ingest.tokens import Tokens
from logwarden.sources.listening import Intake, bind

HOST = "127.0.0.1"
SMALL = Limits(body_bytes=2_000_000, unpacked_bytes=4_000_000)


def tokens(folder: Path, text: str = "secret") -> Tokens:
    """Return the tokens of a file with this text."""
    file = folder / "token"
    file.write_text(text)
    return Tokens(file)


def listener(intake: Intake, *, limits: Limits | None = None, tokens: Tokens | None = None) -> HttpListener:
    """Return an endpoint on a free port, to be started."""
    return HttpListener("http", bind("tcp", HOST, 0), intake, limits=limits, tokens=tokens)
