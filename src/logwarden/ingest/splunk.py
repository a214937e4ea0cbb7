"""Splunk's HTTP Event Collector: events as JSON objects one after the other, and raw lines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from logwarden.ingest.lines import MAX_JSON_VALUES, Lines, Reader, TooManyError, read_text
from logwarden.ingest.records import LineList, Record, excerpt

SPACE = " \t\r\n"


def read_events(body: bytes) -> Lines:
    """Take the events of a body: objects with ``event``, one after the other or in an array."""
    if sum(map(body.count, (b",", b"[", b"{"))) > MAX_JSON_VALUES:
        raise TooManyError(f"more than {MAX_JSON_VALUES:,} values")
    lines = LineList("splunk")
    decoder = json.JSONDecoder()
    text = body.decode()
    place = _skip_space(text, 0)
    while place < len(text):
        try:
            value, place = decoder.raw_decode(text, place)
        except RecursionError:
            raise ValueError("nested too deep") from None
        for event in value if isinstance(value, list) else [value]:
            _add(lines, event)
        place = _skip_space(text, place)
    return lines.finish()


def raw_reader(parameters: Mapping[str, str]) -> Reader:
    """Return a reader of raw lines, with the host that the request's parameters name."""
    host = parameters.get("host", "")

    def read(body: bytes) -> Lines:
        plain = read_text(body)
        if not host:
            return plain._replace(protocol="splunk")
        lines = LineList("splunk")
        for line in plain.good:
            lines.add(Record(line.decode("utf-8", "surrogateescape"), host=host))
        found = lines.finish()
        return found._replace(bad=found.bad + plain.bad)

    return read


def _add(lines: LineList, value: Any) -> None:
    event = value.get("event") if isinstance(value, dict) else None
    if event is None:
        lines.reject(excerpt(value), "not an event: an object with the field event is expected")
        return
    extra = value.get("fields")
    lines.add(
        Record(
            text=event if isinstance(event, dict) else event if isinstance(event, str) else json.dumps(event),
            time=value.get("time"),
            host=str(value.get("host") or ""),
            attributes=extra if isinstance(extra, dict) else {},
        )
    )


def _skip_space(text: str, place: int) -> int:
    while place < len(text) and text[place] in SPACE:
        place += 1
    return place
