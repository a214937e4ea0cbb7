"""Records of other protocols (OTLP, Loki, Splunk) as lines that the parser reads.

A record whose text is a log line that names its host (syslog, Cisco, JSON, ...) is handed on as that line. Any other
becomes a JSON object with the record's own time, host, app and severity.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from logwarden.events import ParsedLine
from logwarden.ingest.lines import Lines, check_count, too_long
from logwarden.parse.line import LineParser
from logwarden.sources.base import KEPT_OF_REJECTED, MAX_LINE_BYTES

_own = threading.local()


class Record(NamedTuple):
    """What a protocol says about one event; empty is what it does not say.

    ``time`` is Unix time in seconds, or an integer of ns; ``severity`` a number of syslog or a word; ``attributes``
    become words of the message.
    """

    text: str | Mapping[str, Any]
    time: int | float | str | None = None
    host: str = ""
    app: str = ""
    severity: int | str | None = None
    attributes: Mapping[str, Any] = {}

    def line(self) -> bytes:
        """Return the line; raises ValueError when the record has none or cannot be written."""
        if isinstance(self.text, str):
            if not self.text.strip():
                raise ValueError("the text is empty")
            if host_of(self.text):
                return self.text.encode("utf-8", "surrogateescape")
        elif not self.text:
            raise ValueError("the event is empty")
        try:
            return orjson.dumps(self._object(), option=orjson.OPT_NON_STR_KEYS)
        except TypeError as error:  # nested too deep, a number over 64 bits, half a surrogate pair
            raise ValueError(f"cannot be written as JSON: {error}") from None

    def _object(self) -> dict[str, Any]:
        stated = {"time": self.time, "host": self.host, "app": self.app, "severity": self.severity}
        fields = {key: value for key, value in stated.items() if value not in (None, "")}
        text = {"message": self.text} if isinstance(self.text, str) else self.text
        # What an event itself says comes before what the protocol says about it.
        return {**self.attributes, **fields, **text}


class LineList:
    """Collects the lines of a request from its records, bad ones with their reason."""

    def __init__(self, protocol: str) -> None:
        self._lines = Lines([], [], protocol)

    def add(self, record: Record) -> None:
        """Add one record."""
        try:
            line = record.line()
        except ValueError as error:
            self.reject(excerpt(record.text), str(error))
            return
        if len(line) > MAX_LINE_BYTES:
            self.reject(line, too_long(len(line)))
            return
        self._lines.good.append(line)
        check_count(self._lines.total)

    def reject(self, kept: bytes, reason: str) -> None:
        """Add what cannot be a line, with the reason."""
        self._lines.bad.append((kept[:KEPT_OF_REJECTED], reason))
        check_count(self._lines.total)

    def finish(self) -> Lines:
        """Return what was collected."""
        return self._lines


def host_of(text: str) -> str:
    """Return the host that a log line names; empty if it names none."""
    if not hasattr(_own, "parser"):
        _own.parser = LineParser()
    parsed = _own.parser.parse(text)
    return parsed.host if isinstance(parsed, ParsedLine) else ""


def excerpt(value: Any) -> bytes:
    """Return the beginning of a value that is no record, to be kept with the reason."""
    if isinstance(value, str):
        return value[:KEPT_OF_REJECTED].encode("utf-8", "replace")[:KEPT_OF_REJECTED]
    try:
        return orjson.dumps(value)[:KEPT_OF_REJECTED]
    except TypeError:
        return f"a {type(value).__name__} that cannot be written as JSON".encode()
