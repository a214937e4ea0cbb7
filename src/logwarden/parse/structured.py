"""Messages with named fields: CEF, LEEF, JSON and key=value. Their text is written so that it can be masked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from logwarden.events import ParsedLine
from logwarden.parse.levels import facility_of, severity_of
from logwarden.parse.times import Clock, fraction

_MOST_FIELDS: Final = 64
_DEEPEST: Final = 4
_LEAST_PAIRS: Final = 3

_MESSAGE: Final = ("message", "msg", "log", "short_message", "full_message", "text", "content", "event")
_TIME: Final = ("@timestamp", "time", "timestamp", "ts", "isodate", "datetime", "eventtime", "date", "t")
_HOST: Final = (
    *("host", "hostname", "_hostname", "host.name", "host.hostname", "devname", "device_name", "dvchost", "dvc"),
    *("computer", "fromhost", "source_host", "node"),
)
_APP: Final = (
    *("app", "appname", "app_name", "program", "syslog_identifier", "ident", "process.name", "process", "daemon"),
    *("logger", "component", "service", "service.name", "container_name", "tag"),
)
_PAIR_APP: Final = ("program", "daemon", "process", "component", "logger", "type", "app")
_PID: Final = ("pid", "_pid", "procid", "process.pid", "process_id")
_LEVEL: Final = ("level", "severity", "loglevel", "log.level", "levelname", "lvl", "priority", "severity_label", "pri")
_FACILITY: Final = ("facility", "syslog_facility", "facility_label")

_PAIR: Final = re.compile(r"(?<![^\s,;|])([A-Za-z_@][\w.@-]{0,63})=(?:\"((?:[^\"\\]|\\.)*)\"|([^\s,;|\"]*))")
_CEF_HEAD: Final = re.compile(r"CEF: ?\d+(?:\.\d+)?\|" + r"((?:[^|\\]|\\.)*)\|" * 6)
_LEEF_HEAD: Final = re.compile(r"LEEF: ?(\d)(?:\.\d+)?\|([^|]*)\|([^|]*)\|([^|]*)\|([^|]*)\|(?:([^|=\t]{0,8})\|)?")
_CEF_PAIR: Final = re.compile(r"(?:^|(?<=\s))([A-Za-z_][\w.\[\]-]{0,63})=")
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_ISO: Final = re.compile(
    r"\s*(\d{4}[-/]\d\d?[-/]\d\d?[T ,]{1,2}\d\d?:\d\d:\d\d)([.,]\d{1,9})? ?(Z|UTC|[+-]\d\d:?\d\d)?"
)
_BSD: Final = re.compile(r"([A-Z][a-z]{2} {1,2}\d{1,2})(?: (\d{4}))? (\d\d:\d\d:\d\d)")
_EPOCH: Final = re.compile(r"\d{9,19}(?:\.\d{1,9})?\Z")
_LONGEST_SEVERITY: Final = {"low": 6, "medium": 4, "high": 3, "very-high": 2, "unknown": None}


def read_json(line: ParsedLine, clock: Clock, received: float | None) -> ParsedLine | None:
    """Read a JSON object. The text is its message followed by the other fields as ``key=value`` words."""
    try:
        value = json.loads(line.message)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    fields = dict(_flatten(value))
    lower = {key.lower(): key for key in fields}
    when = _take_time(fields, lower, clock, received)
    host = _take(fields, lower, _HOST)
    app = _take(fields, lower, _APP)
    pid = _take(fields, lower, _PID)
    severity = severity_of(_value(fields, lower, _LEVEL))
    if severity is not None:
        _take(fields, lower, _LEVEL)
    facility = facility_of(_value(fields, lower, _FACILITY))
    if facility is not None:
        _take(fields, lower, _FACILITY)
    message = _take(fields, lower, _MESSAGE)
    words = [f"{key}={_quoted(str(item))}" for key, item in fields.items()]
    return ParsedLine(
        "json",
        line.time if when is None else when,
        host or line.host,
        app or line.app,
        pid or line.pid,
        line.facility if facility is None else facility,
        line.severity if severity is None else severity,
        " ".join([message, *words] if message else words),
    )


def read_cef(line: ParsedLine) -> ParsedLine | None:
    """Read ArcSight's Common Event Format: ``CEF:0|vendor|product|version|id|name|severity|key=value ...``."""
    start = line.message.find("CEF:", 0, 256)
    match = _CEF_HEAD.match(line.message, start) if start >= 0 else None
    if match is None:
        return None
    _, product, _, event, name, level = (_unescaped(group) for group in match.groups())
    pairs = dict(_cef_pairs(line.message[match.end() :]))
    return _event(line, "cef", product, event, name, _cef_severity(level), pairs)


def read_leef(line: ParsedLine, clock: Clock, received: float | None) -> ParsedLine | None:
    """Read QRadar's Log Event Extended Format, versions 1 and 2 (with its own delimiter)."""
    start = line.message.find("LEEF:", 0, 256)
    match = _LEEF_HEAD.match(line.message, start) if start >= 0 else None
    if match is None:
        return None
    _, _, product, _, event, delimiter = match.groups()
    rest = line.message[match.end() :]
    parts = rest.split(_delimiter(delimiter, rest))
    pairs = {key.strip(): value.strip() for key, equals, value in (part.partition("=") for part in parts) if equals}
    severity = _cef_severity(pairs.get("sev", ""))
    read = _event(line, "leef", product, event, "", severity, pairs)
    when = _time_of(pairs.get("devTime"), clock, received)
    return read if when is None else read._replace(time=when)


def read_key_value(line: ParsedLine, clock: Clock, received: float | None) -> ParsedLine | None:
    """Read ``key=value key="a value"`` with at least three pairs. The text stays as it is."""
    if line.app:
        return None
    pairs = pairs_of(line.message)
    if len(pairs) < _LEAST_PAIRS:
        return None
    keys = {key: key for key in pairs}
    if "date" in pairs and "time" in pairs:
        zone = str(pairs.get("tz", ""))
        when = _time_of(f"{pairs['date']} {pairs['time']} {zone}".strip(), clock, received)
    else:
        when = _time_of(_value(pairs, keys, _TIME), clock, received)
    severity = severity_of(_value(pairs, keys, _LEVEL))
    return line._replace(
        format="keyvalue",
        time=line.time if when is None else when,
        host=str(pairs.get("devname") or line.host or _value(pairs, keys, _HOST) or ""),
        app=str(_value(pairs, keys, _PAIR_APP) or ""),
        pid=str(_value(pairs, keys, _PID) or ""),
        severity=line.severity if line.severity is not None else severity,
    )


def pairs_of(message: str) -> dict[str, str]:
    """Return the ``key=value`` pairs of a message by lower-case key; of a key that comes twice, the first."""
    pairs: dict[str, str] = {}
    for key, quoted, bare in _PAIR.findall(message[:8192]):
        pairs.setdefault(key.lower(), quoted or bare)
    return pairs


def _event(
    line: ParsedLine, form: str, product: str, event: str, name: str, severity: int | None, pairs: Mapping[str, str]
) -> ParsedLine:
    words = [f"{event}:", *([name] if name else []), *(f"{key}={_quoted(value)}" for key, value in pairs.items())]
    return line._replace(
        format=form,
        host=line.host or pairs.get("dvchost") or pairs.get("dvc") or "",
        app=product or line.app,
        severity=line.severity if severity is None else severity,
        message=" ".join(words),
    )


def _cef_pairs(text: str) -> Iterator[tuple[str, str]]:
    """Pairs of a CEF extension: a value runs to the next `` key=``, and may hold spaces and escapes."""
    keys = list(_CEF_PAIR.finditer(text))
    for index, key in enumerate(keys):
        end = keys[index + 1].start() if index + 1 < len(keys) else len(text)
        yield key[1], _unescaped(text[key.end() : end].strip())


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda match: {"n": " ", "r": " "}.get(match[1], match[1]), text) if "\\" in text else text


def _cef_severity(text: str) -> int | None:
    """CEF counts from 0 (lowest) to 10, or in words."""
    text = text.strip().lower()
    if text in _LONGEST_SEVERITY:
        return _LONGEST_SEVERITY[text]
    if not text.isascii() or not text.isdigit() or len(text) > 2:
        return None
    level = int(text)
    return 6 if level <= 3 else 4 if level <= 6 else 3 if level <= 8 else 2


def _delimiter(stated: str | None, rest: str) -> str:
    if stated:
        code = stated.lower().removeprefix("0x").removeprefix("x") if len(stated) > 1 else ""
        try:
            return chr(int(code, 16)) if code else stated
        except (ValueError, OverflowError):
            return stated
    return "\t" if "\t" in rest or "^" not in rest else "^"


def _flatten(value: Mapping[str, Any], prefix: str = "", depth: int = 1) -> Iterator[tuple[str, Any]]:
    """Leaves of nested objects as ``a.b`` and value; lists and what is too deep as JSON text."""
    for count, (key, item) in enumerate(value.items()):
        if count >= _MOST_FIELDS:
            return
        if isinstance(item, dict) and depth < _DEEPEST:
            yield from _flatten(item, f"{prefix}{key}.", depth + 1)
        elif isinstance(item, dict | list):
            yield f"{prefix}{key}", json.dumps(item)
        elif item is not None:
            yield f"{prefix}{key}", item


def _value(fields: Mapping[str, Any], keys: Mapping[str, str], names: tuple[str, ...]) -> Any:
    """First non-empty value under one of the names; ``keys`` maps lower case to the key as written."""
    for name in names:
        key = keys.get(name)
        if key is not None and fields.get(key) not in (None, ""):
            return fields[key]
    return None


def _take(fields: dict[str, Any], keys: Mapping[str, str], names: tuple[str, ...]) -> str:
    """Remove the first non-empty value under one of the names, as text."""
    for name in names:
        key = keys.get(name)
        if key is not None and fields.get(key) not in (None, ""):
            return str(fields.pop(key))
    return ""


def _take_time(fields: dict[str, Any], keys: Mapping[str, str], clock: Clock, received: float | None) -> float | None:
    for name in ("__realtime_timestamp", *_TIME):
        key = keys.get(name)
        if key is not None and (when := _time_of(fields.get(key), clock, received)) is not None:
            del fields[key]
            return when
    return None


def _time_of(value: Any, clock: Clock, received: float | None) -> float | None:
    """Unix seconds from a number (s, ms, us or ns by its size) or from one of the usual texts."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return _epoch(float(value)) if abs(value) < 1e20 else None
    text = str(value).strip()
    if _EPOCH.match(text):
        return _epoch(float(text))
    if (iso := _ISO.match(text)) is not None:
        when = clock.with_year(iso[1], iso[3])
        return None if when is None else when + fraction(iso[2])
    if (bsd := _BSD.match(text)) is not None:
        if bsd[2]:
            month, day = bsd[1].split()
            return clock.named_month(bsd[2], month, day, bsd[3])
        return clock.without_year(f"{bsd[1]} {bsd[3]}", received)
    return None


def _epoch(number: float) -> float | None:
    for unit in (1.0, 1e3, 1e6, 1e9):
        if 1e8 <= number / unit < 1e10:
            return number / unit
    return None


def _quoted(value: str) -> str:
    return f'"{value}"' if not value or " " in value else value
