"""Bearer tokens with names, from a file that may change while we run."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from logwarden.errors import InvalidInputError

DEFAULT_NAME = "default"
_LOOK_SECONDS = 1.0
# The padding of a token in Base64 is no name: a token never begins with =.
_NAMED = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,62})=([^=\s]\S*)")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Token:
    """A name for logs and metrics, and the hash of a token: the token itself is not kept."""

    name: str
    digest: bytes


def parse_tokens(text: str, where: str) -> tuple[Token, ...]:
    """Read tokens: one alone, or ``NAME=TOKEN`` a line; lines that begin with ``#`` are comments.

    A name may stand several times, so that an old token goes on working while senders change to the new one.

    Raises
    ------
    InvalidInputError
        If there is none, or a line is something else; the message never holds the line.
    """
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1)]
    rows = [(number, line) for number, line in lines if line and not line.startswith("#")]
    if not rows:
        raise InvalidInputError(f"{where} holds no token: put one into it, or NAME=TOKEN a line")
    if len(rows) == 1 and not _NAMED.fullmatch(rows[0][1]):
        if len(rows[0][1].split()) > 1:
            raise InvalidInputError(f"{where}:{rows[0][0]}: a token has no spaces")
        return (Token(DEFAULT_NAME, _digest(rows[0][1].encode())),)
    found = []
    for number, line in rows:
        match = _NAMED.fullmatch(line)
        if match is None:
            raise InvalidInputError(f"{where}:{number}: expected NAME=TOKEN, as the file has several lines")
        found.append(Token(match[1], _digest(match[2].encode())))
    return tuple(found)


class Tokens:
    """Says who a sender is.

    Parameters
    ----------
    file
        Looked at once a second at most, and read again when it has changed.

    Raises
    ------
    InvalidInputError
        If the file cannot be read or holds no token.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen: tuple[int, int, int] | None = None
        self._looked_at = float("-inf")
        self._tokens: tuple[Token, ...] = ()
        try:
            self._tokens = self._read()
        except OSError as error:
            raise InvalidInputError(f"{file} cannot be read: {error.strerror}") from None

    def name_of(self, shown: bytes) -> str | None:
        """Return the name of a token that somebody shows, or None; takes the same time whichever it is."""
        self._look()
        digest, found = _digest(shown), None
        for token in self._tokens:
            if hmac.compare_digest(token.digest, digest):
                found = token.name
        return found if shown else None

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._looked_at < _LOOK_SECONDS:
            return
        self._looked_at = now
        try:
            if self._stamp() != self._seen:
                self._tokens = self._read()
                _log.info("%s has changed: %d tokens are taken now", self._file, len(self._tokens))
        except InvalidInputError as error:
            self._tokens = ()
            _log.error("%s; nobody is let in until it is mended", error)
        except OSError as error:
            # A Secret is replaced by way of renaming: what is gone for a moment is no order to let nobody in.
            if self._seen is not None:
                _log.error("%s cannot be read: %s; the tokens read before go on", self._file, error.strerror)
            self._seen = None

    def _read(self) -> tuple[Token, ...]:
        self._seen = self._stamp()
        try:
            return parse_tokens(self._file.read_text(encoding="utf-8"), str(self._file))
        except UnicodeDecodeError:
            raise InvalidInputError(f"{self._file} is not text: put a token into it, or NAME=TOKEN a line") from None

    def _stamp(self) -> tuple[int, int, int]:
        status = self._file.stat()
        return status.st_mtime_ns, status.st_ino, status.st_size


def shown_token(headers: Mapping[str, str], schemes: tuple[str, ...]) -> bytes:
    """Return the token of an Authorization header; empty if there is none.

    ``schemes`` are those in which the token stands as it is. With Basic it is the password, for agents that know no
    other scheme; the user may be anything.
    """
    scheme, _, rest = headers.get("authorization", "").partition(" ")
    given = rest.strip().encode("latin-1", "replace")  # header values are latin-1 by then
    if scheme.lower() in schemes:
        return given
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(given, validate=True).partition(b":")[2]
        except (binascii.Error, ValueError):
            return b""
    return b""


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
