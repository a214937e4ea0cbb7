"""Lines of log files without a syslog header: the time and the level where their place is well known."""

from __future__ import annotations

import re
from typing import Final

from logwarden.events import ParsedLine
from logwarden.parse.levels import SEVERITIES
from logwarden.parse.times import Clock, fraction

_LEVEL: Final = (
    r"\[?(?P<level>EMERG|ALERT|CRIT|CRITICAL|FATAL|SEVERE|ERROR|WARNING|WARN|NOTICE|INFO|DEBUG|TRACE"
    r"|emerg|alert|crit|error|warn|notice|info|debug)\b\]?"
)
_PART: Final = r"(?P<part>[.,]\d{1,9})?"
_CLOCK: Final = r"(?P<clock>\d\d:\d\d:\d\d)"

_TAGGED: Final = re.compile(r"([A-Za-z_][\w./()-]{0,63})(?:\[(\d{1,10})\])?: ")

# Year, month, day, hour, minute and second in ISO order; then an optional level, then log4j's thread and class.
_ISO: Final = re.compile(
    rf"\[?(?P<stamp>\d{{4}}[-/.]\d\d?[-/.]\d\d?[T ]\d\d:\d\d:\d\d){_PART}(?:\.\d{{1,3}})? ?"
    r"(?P<zone>Z|UTC|[+-]\d\d:?\d\d)?\]?[ ,:-]*"
    rf"(?:{_LEVEL}:?\s*(?:\[(?P<pid>[^\]]{{0,64}})\] (?P<app>[A-Za-z_]\w*(?:\.[\w$]+)+): )?)?"
)
# Hadoop's "081109 203615 148 INFO component: message".
_COMPACT: Final = re.compile(rf"(?P<date>\d{{6}}) (?P<clock>\d{{6}}) (?P<pid>\d+) {_LEVEL} (?P<app>[^\s:]+): ")
# Android's "03-17 16:13:38.811  1702  2395 D WindowManager: message".
_ANDROID: Final = re.compile(
    rf"(?P<stamp>\d\d-\d\d \d\d:\d\d:\d\d){_PART} +(?P<pid>\d+) +\d+ (?P<level>[VDIWEF]) (?P<app>[^:]{{1,100}}): ?"
)
# Apache's "[Sun Dec 04 04:47:44 2005] [error] message".
_APACHE: Final = re.compile(
    rf"\[[A-Z][a-z]{{2}} (?P<month>[A-Z][a-z]{{2}}) +(?P<day>\d{{1,2}}) {_CLOCK}{_PART} (?P<year>\d{{4}})\]"
    rf" (?:{_LEVEL} )?"
)
# Blue Gene/L: label, Unix seconds, date, node, time, node, type, component, level, message.
_BLUE_GENE: Final = re.compile(
    r"\S+ (?P<epoch>\d{9,10}) \d{4}\.\d\d\.\d\d (?P<host>\S+) \d{4}-\d\d-\d\d-\S+ \S+ \S+ "
    r"(?P<app>\S+) (?P<level>[A-Z]+) "
)
# HPC clusters: id, node, component, state, Unix seconds, flag, message.
_CLUSTER: Final = re.compile(r"\d+ (?P<host>\S+) (?P<app>\S+) \S+ (?P<epoch>\d{9,10}) \d+ ")
# Web servers' combined log: the time stands inside the line, which is kept whole.
_COMBINED: Final = re.compile(
    rf"\S+ \S+ \S+ \[(?P<day>\d\d)/(?P<month>[A-Z][a-z]{{2}})/(?P<year>\d{{4}}):{_CLOCK} (?P<zone>[+-]\d{{4}})\]"
)
_EPOCH: Final = re.compile(rf"(?P<epoch>\d{{10}}){_PART} +")


def read_plain(body: str, clock: Clock, received: float | None, *, tagged: bool) -> ParsedLine:
    """Read a line that no other reader took: always gives one.

    ``tagged`` says that the line had a priority: then ``app[pid]:`` at its start is a tag, as local senders write it.
    """
    if tagged and (tag := _TAGGED.match(body)) is not None:
        return ParsedLine("rfc3164", None, "", tag[1], tag[2] or "", None, None, body[tag.end() :])
    text = body.lstrip()
    first = text[:1]
    if first.isdigit() or first == "[":
        return _numbered(text, clock, received) or _plain(body)
    if (match := _BLUE_GENE.match(text)) is not None:
        return _cut(text, match, float(match["epoch"]), host=match["host"])
    return _plain(body)


def _plain(body: str) -> ParsedLine:
    return ParsedLine("plain", None, "", "", "", None, None, body)


def _numbered(text: str, clock: Clock, received: float | None) -> ParsedLine | None:
    """Read a line that starts with a digit or a bracket."""
    if (match := _ISO.match(text)) is not None:
        return _cut(text, match, clock.with_year(match["stamp"], match["zone"]))
    if (match := _COMPACT.match(text)) is not None:
        return _cut(text, match, clock.with_year(_spread(match["date"], match["clock"])))
    if (match := _ANDROID.match(text)) is not None:
        return _cut(text, match, clock.without_year(match["stamp"], received))
    if (match := _APACHE.match(text)) is not None:
        return _cut(text, match, clock.named_month(match["year"], match["month"], match["day"], match["clock"]))
    if (match := _COMBINED.match(text)) is not None:
        when = clock.named_month(match["year"], match["month"], match["day"], match["clock"], match["zone"])
        return ParsedLine("plain", when, "", "", "", None, None, text)
    if (match := _CLUSTER.match(text) or _EPOCH.match(text)) is not None:
        return _cut(text, match, float(match["epoch"]), host=match.groupdict().get("host") or "")
    return None


def _spread(date: str, clock: str) -> str:
    century = "19" if date[:2] > "69" else "20"
    return f"{century}{date[:2]}-{date[2:4]}-{date[4:]} {clock[:2]}:{clock[2:4]}:{clock[4:]}"


def _cut(text: str, match: re.Match[str], when: float | None, host: str = "") -> ParsedLine:
    """The line behind a matched header, with the app, level and process id that the header has."""
    groups = match.groupdict()
    severity = SEVERITIES.get((groups.get("level") or "").lower())
    if when is not None:
        when += fraction(groups.get("part"))
    app = (groups.get("app") or "").strip()
    return ParsedLine("plain", when, host, app, groups.get("pid") or "", None, severity, text[match.end() :])
