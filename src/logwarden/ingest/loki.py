"""Loki's push protocol, as JSON and as protobuf in snappy."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from logwarden.ingest.lines import MAX_ENCODED_RECORD, Lines, too_long
from logwarden.ingest.records import LineList, Record, excerpt
from logwarden.ingest.wire import Walk

_HOST = ("host", "hostname", "node", "node_name", "nodename", "instance", "computer")
_APP = ("app", "service_name", "service", "application", "syslog_identifier", "unit", "container", "job")
_LEVEL = ("detected_level", "level", "severity")
_LABEL = re.compile(r'\s*([A-Za-z_][A-Za-z0-9_]*)\s*=\s*("(?:[^"\\]|\\.)*")\s*(?:,|$)')
_ENTRY_PARTS = 2


def read_json(value: Any) -> Lines:
    """Take the entries of ``{"streams": [{"stream": {labels}, "values": [[ns, line], ...]}]}``."""
    streams = value.get("streams") if isinstance(value, dict) else None
    if not isinstance(streams, list):
        raise ValueError('expected {"streams": [...]}')
    lines = LineList("loki")
    for stream in streams:
        if not isinstance(stream, dict) or not isinstance(stream.get("values"), list):
            raise ValueError('streams: expected objects with "stream" and "values"')
        labels = stream.get("stream")
        if not isinstance(labels, dict):
            raise ValueError('streams: "stream" is no object of labels')
        for entry in stream["values"]:
            _add_json(lines, entry, labels)
    return lines.finish()


def read_protobuf(body: bytes) -> Lines:
    """Take the entries of a PushRequest: streams (1) of labels (1) and entries (2)."""
    lines, walk = LineList("loki"), Walk()
    for stream in walk.submessages(body, 1):
        labels: dict[str, str] = {}
        for raw in walk.submessages(stream, 1):
            labels = _read_labels(raw)
        for entry in walk.submessages(stream, 2):
            _add_protobuf(lines, walk, entry, labels)
    return lines.finish()


def _add_json(lines: LineList, entry: Any, labels: Mapping[str, Any]) -> None:
    if not isinstance(entry, list) or len(entry) < _ENTRY_PARTS or not all(isinstance(one, str) for one in entry[:2]):
        lines.reject(excerpt(entry), 'not an entry: expected ["NANOSECONDS", "line"]')
        return
    metadata = entry[2] if len(entry) > _ENTRY_PARTS and isinstance(entry[2], dict) else {}
    lines.add(_record(entry[1], entry[0], labels, metadata))


def _add_protobuf(lines: LineList, walk: Walk, entry: bytes, labels: Mapping[str, str]) -> None:
    """Add an entry: time (1), line (2), metadata (3)."""
    if len(entry) > MAX_ENCODED_RECORD:
        lines.reject(entry, too_long(len(entry)))
        return
    time, text, metadata = 0, "", {}
    try:
        for number, value in walk.fields(entry):
            if not isinstance(value, bytes):
                continue
            if number == 1:
                time = _nanoseconds(walk, value)
            elif number == 2:
                text = value.decode("utf-8", "surrogateescape")
            elif number == 3:
                pair = {key: part.decode() for key, part in walk.fields(value) if isinstance(part, bytes)}
                metadata[pair.get(1, "")] = pair.get(2, "")
    except ValueError as error:
        lines.reject(entry, f"not an entry: {error}")
        return
    lines.add(_record(text, time or None, labels, metadata))


def _record(text: str, time: int | str | None, labels: Mapping[str, Any], metadata: Mapping[str, Any]) -> Record:
    stated = {str(key).lower(): value for key, value in {**labels, **metadata}.items()}
    return Record(
        text=text,
        time=time,
        host=_first(stated, _HOST),
        app=_first(stated, _APP),
        severity=_first(stated, _LEVEL),
    )


def _first(values: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return next((str(values[name]) for name in names if values.get(name)), "")


def _nanoseconds(walk: Walk, timestamp: bytes) -> int:
    """Read a Timestamp: seconds (1) and nanoseconds (2)."""
    parts = {number: value for number, value in walk.fields(timestamp) if isinstance(value, int)}
    return parts.get(1, 0) * 1_000_000_000 + parts.get(2, 0)


def _read_labels(raw: bytes) -> dict[str, str]:
    """Read labels as Loki writes them: ``{host="r1", job="syslog"}``."""
    text = raw[:MAX_ENCODED_RECORD].decode("utf-8", "replace").strip().removeprefix("{").removesuffix("}")
    return {name: _unquoted(value) for name, value in _LABEL.findall(text)}


def _unquoted(value: str) -> str:
    try:
        return str(json.loads(value))
    except ValueError:  # an escape that Go has and JSON has not
        return value[1:-1]
