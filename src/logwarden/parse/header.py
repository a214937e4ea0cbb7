"""The two syslog headers: RFC 3164 with its many dialects, and RFC 5424."""

from __future__ import annotations

import re
from typing import Final

from logwarden.events import ParsedLine
from logwarden.parse.times import Clock, fraction

Priority = tuple[int | None, int | None]
"""Facility and severity, None where unknown."""

_NO_PRIORITY: Final[Priority] = (None, None)
PRIORITIES: Final[dict[str, Priority]] = {"": _NO_PRIORITY} | {
    f"<{text}>": (value >> 3, value & 7) if value < 192 else _NO_PRIORITY
    for value in range(1000)
    for text in {str(value), f"{value:02d}", f"{value:03d}"}
}
"""What a priority means. A value over 191 means nothing: the line is read without it."""

_FRR_DAEMONS: Final = frozenset(
    [
        "zebra",
        "bgpd",
        "ospfd",
        "ospf6d",
        "isisd",
        "ripd",
        "ripngd",
        "eigrpd",
        "pimd",
        "pim6d",
        "ldpd",
        "nhrpd",
        "babeld",
        "bfdd",
        "fabricd",
        "vrrpd",
        "pathd",
        "pbrd",
        "staticd",
        "sharpd",
        "mgmtd",
        "watchfrr",
        "frr",
        "frrinit.sh",
    ]
)

_new = tuple.__new__

_PRIORITY_TEXT: Final = re.compile(r"(?:\d{1,6} )?\s{0,8}(<\d{1,3}>) ?")
_STAMP: Final = (
    r"(?:([A-Z][a-z]{2} {1,2}\d{1,2} \d\d:\d\d:\d\d)([.,]\d{1,9})?(?: ([A-Z]{3,5})(?=:? ))?"
    r"|(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)([.,]\d{1,9})?(Z|[+-]\d\d:?\d\d)?)"
)
_NAME: Final = r"(?!CEF:|LEEF:)[A-Za-z_/.(-][^\s:\[]*"
_HEADER: Final = re.compile(
    rf"\s*(?:1 (?=\d{{4}}-))?{_STAMP}:? {{1,2}}(?:(?!{_NAME}(?:\[\S*\])?: )([^\s:]\S*) {{1,2}})?"
    rf"(?:({_NAME})(?:\[([^\]\s]*)\])?(?::\s?|\Z)|([A-Za-z][\w ./-]{{0,47}})\[(\d+)\]: ?)?",
)
_VERSION: Final = re.compile(r"\d{1,2}\Z")
_ELEMENT: Final = re.compile(r"\[([^\s=\]\"]{1,255})((?: +[^\s=\]\"]{1,255}=\"(?:[^\"\\\]]|\\.)*\")*) *\]", re.DOTALL)
_PARAMETER: Final = re.compile(r"([^\s=\]\"]+)=\"((?:[^\"\\\]]|\\.)*)\"", re.DOTALL)
# Elements that RFC 5424 itself defines speak of the sender's clock and counters, not of what happened: left out.
_TRANSPORT_ELEMENTS: Final = frozenset(("timeQuality", "origin", "meta"))
_ESCAPE: Final = re.compile(r"\\([\"\\\]])")


def app_format(app: str) -> str:
    """Format of a line with an RFC 3164 header: FRR's daemons are known by name."""
    return "frr" if app in _FRR_DAEMONS else "rfc3164"


def split_priority(text: str) -> tuple[str, int | None, int | None]:
    """Split ``<34>`` and an octet count in front of it from a line: what follows, facility, severity."""
    text = text.removeprefix("\ufeff")
    match = _PRIORITY_TEXT.match(text)
    if match is None:
        return text, None, None
    return text[match.end() :], *PRIORITIES.get(match[1], _NO_PRIORITY)  # \d also takes digits of other scripts


def read_header(body: str, clock: Clock, received: float | None) -> ParsedLine | None:
    """Read ``timestamp host app[pid]: message``; host and app may be missing. None without a timestamp."""
    match = _HEADER.match(body)
    if match is None:
        return None
    bsd, bsd_fraction, bsd_zone, iso, iso_fraction, iso_zone, host, app, pid, long_app, long_pid = match.groups()
    if bsd is not None:
        when = clock.without_year(bsd, received, bsd_zone)
        part = bsd_fraction
    else:
        when = clock.with_year(iso, iso_zone)
        part = iso_fraction
    if when is None:
        return None
    app = app or long_app or ""
    message = body[match.end() :]
    if part:
        when += fraction(part)
    return ParsedLine(app_format(app), when, host or "", app, pid or long_pid or "", None, None, message)


def read_rfc5424(body: str, clock: Clock, facility: int | None, severity: int | None) -> ParsedLine | None:
    """Read what follows the priority of an RFC 5424 line; None when it is not one."""
    words = body.split(" ", 6)
    if len(words) < 7 or (words[0] != "1" and not _VERSION.match(words[0])):
        return None
    _, stamp, host, app, pid, message_id, rest = words
    when = None
    if stamp != "-":
        when = clock.iso(stamp)
        if when is None:
            return None
    if rest[:2] == "- ":
        data, message, form = "", rest[2:], "rfc5424"
    elif rest[:1] == "[":
        data, end = _structured_data(rest)
        message, form = rest[end:].removeprefix(" "), "junos" if rest.startswith("[junos@2636") else "rfc5424"
    elif rest == "-":
        data, message, form = "", "", "rfc5424"
    else:
        return None
    if message[:1] == "\ufeff":
        message = message[1:]
    if message_id != "-" or data:
        # The message id is the vendor's word for the kind of message: it belongs in front of what varies.
        label = "" if message_id == "-" else f"{message_id}:"
        message = " ".join(word for word in (label, data, message) if word)
    if app in _FRR_DAEMONS:
        form = "frr"
    return _new(ParsedLine, (form, when, _value(host), _value(app), _value(pid), facility, severity, message))


def _value(text: str) -> str:
    return "" if text == "-" else text


def _structured_data(text: str) -> tuple[str, int]:
    """Structured data at the start of a text as ``key=value`` words, and where it ends."""
    words: list[str] = []
    start = 0
    while (element := _ELEMENT.match(text, start)) is not None:
        start = element.end()
        if element[1] in _TRANSPORT_ELEMENTS:
            continue
        parameters = _PARAMETER.findall(element[2])
        words += [f"{name}={_quoted(value)}" for name, value in parameters] or [element[1]]
    return " ".join(words), start


def _quoted(value: str) -> str:
    value = _ESCAPE.sub(r"\1", value)
    return f'"{value}"' if not value or " " in value else value
