"""The value of a message in the raw topic: one line, and how it came to us.

A JSON object with the key ``logwarden`` is an envelope; anything else is the raw line itself. docs/kafka.md describes
the fields for those who write them without this module, as a syslog-ng does.
"""

from __future__ import annotations

import base64
import binascii
import math
from typing import Annotated, Any, Final, Literal

import msgspec
import orjson

from logwarden.sources.base import KEPT_OF_REJECTED, MAX_LINE_BYTES, to_text

VERSION = 1
_MARK = b'"logwarden"'
_LATEST: Final = 32_503_680_000.0
"""Year 3000: a larger receive time is in milliseconds or wrong."""


class Line(msgspec.Struct, gc=False):
    """A line as read from the raw topic.

    Attributes
    ----------
    text
        The line; bytes that are not UTF-8 are surrogate escapes.
    received
        Unix seconds at which the collector received it.
    peer
        Address of the sender, empty if unknown.
    listener
        Name of the listener that received it, empty if unknown.
    reason
        Why the line cannot be used, in words; empty for a good one.
    late
        See :class:`logwarden.events.Batch`.
    """

    text: str
    received: float
    peer: str
    listener: str
    reason: str = ""
    late: bool = False


class _CompleteEnvelope(Line, kw_only=True, forbid_unknown_fields=True, gc=False):
    """What an envelope usually looks like; everything else is for :func:`decode`."""

    logwarden: Literal[1]
    text: Annotated[str, msgspec.Meta(max_length=MAX_LINE_BYTES)] = msgspec.field(name="message")
    received: Annotated[float, msgspec.Meta(ge=0.0, lt=_LATEST)]
    peer: Annotated[str, msgspec.Meta(min_length=1)]
    listener: str


_decode_complete = msgspec.json.Decoder(_CompleteEnvelope).decode


def encode(
    line: bytes, *, received: float, peer: str = "", listener: str = "", reason: str = "", late: bool = False
) -> bytes:
    """Return the value for a line.

    Of a line longer than :data:`~logwarden.sources.base.MAX_LINE_BYTES` so much is kept that the parser rejects it.

    Parameters
    ----------
    line
        Raw bytes without the line end.
    received
        Unix seconds.
    peer, listener, reason, late
        As in :class:`Line`.
    """
    fields: dict[str, Any] = {"logwarden": VERSION, "listener": listener, "peer": peer, "received": received}
    if late:
        fields["late"] = True
    if reason:
        fields["reason"] = reason
        line = line[:KEPT_OF_REJECTED]
    elif len(line) > MAX_LINE_BYTES:
        line = to_text(line).encode("utf-8", "surrogateescape")
    try:
        fields["message"] = line.decode()
    except UnicodeDecodeError:
        fields["message_base64"] = base64.b64encode(line).decode()
    return orjson.dumps(fields)


def decode_complete(value: bytes | None) -> Line | None:
    """Return the line in an envelope that says all there is to say, fast; None for everything else.

    What this returns is what :func:`decode` would.
    """
    if value is None or not value.startswith(b"{") or _MARK not in value:
        return None
    try:
        return _decode_complete(value)
    except (ValueError, RecursionError):
        return None


def decode(value: bytes | None, *, key: bytes | None, written: float) -> Line:
    """Return the line in a message; one that cannot be read has a reason, and as text what was found.

    Parameters
    ----------
    value, key
        Of the message. The key stands for the sender where the value tells none.
    written
        The message's own time in Unix seconds, for values that tell no receive time.
    """
    if value is None:
        return Line("", written, _sender(key), "", "a message without a value")
    if value[:1] == b"{" and _MARK in value:
        try:
            fields = orjson.loads(value)
        except ValueError as error:
            return Line(to_text(value)[:KEPT_OF_REJECTED], written, _sender(key), "", f"broken envelope: {error}")
        if "logwarden" in fields:
            return _from_fields(fields, value, key, written)
    return Line(to_text(value), written, _sender(key), "", "")


def _from_fields(fields: dict[str, Any], value: bytes, key: bytes | None, written: float) -> Line:
    try:
        if fields["logwarden"] not in (VERSION, str(VERSION)):
            raise ValueError(f"version {str(fields['logwarden'])[:20]}, expected {VERSION}")
        peer = fields.get("peer") or _sender(key)
        listener = fields.get("listener") or ""
        reason = fields.get("reason") or ""
        if not (isinstance(peer, str) and isinstance(listener, str) and isinstance(reason, str)):
            raise ValueError("peer, listener and reason have to be text")
        late = fields.get("late") in (True, "true")
        return Line(_text(fields), _received(fields, written), peer, listener, reason, late)
    except ValueError as error:
        return Line(to_text(value)[:KEPT_OF_REJECTED], written, _sender(key), "", f"broken envelope: {error}")


def _text(fields: dict[str, Any]) -> str:
    message = fields.get("message")
    if isinstance(message, str):
        return message if len(message) <= MAX_LINE_BYTES else message[: MAX_LINE_BYTES + 1]
    encoded = fields.get("message_base64")
    if not isinstance(encoded, str):
        raise ValueError("neither message nor message_base64 is text")
    try:
        return to_text(base64.b64decode(encoded, validate=True))
    except binascii.Error as error:
        raise ValueError(f"message_base64: {error}") from None


def _received(fields: dict[str, Any], written: float) -> float:
    received = fields.get("received")
    if received is None:
        return written
    try:
        seconds = float(received)
    except (TypeError, ValueError):
        seconds = math.nan
    if not 0.0 <= seconds < _LATEST:
        raise ValueError(f"received: found {str(received)[:40]!r}, expected Unix seconds")
    return seconds


def _sender(key: bytes | None) -> str:
    return key.decode("utf-8", "backslashreplace")[:255] if key else ""
