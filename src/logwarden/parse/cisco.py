"""Lines with a Cisco mnemonic, ``%FACILITY-SEVERITY-NAME:``, and headers as free as IOS, IOS-XR, NX-OS and ASA write
them: sequence numbers, marks for an unset clock, the year before or after the date, a node or a process in between."""

from __future__ import annotations

import re
from typing import Final

from logwarden.events import ParsedLine
from logwarden.parse.times import Clock, fraction

MNEMONIC: Final = re.compile(r"%([A-Za-z][A-Za-z0-9_]*(?:-[A-Za-z][A-Za-z0-9_]*)*)-([0-7])-[A-Z0-9_]+")
_LONGEST_PREFIX: Final = 200
_STAMP: Final = re.compile(
    r"[*.]?(?:(?P<before>\d{4}) )?(?P<month>[A-Z][a-z]{2,8}) {1,2}(?P<day>\d{1,2})(?: (?P<after>\d{4}))? "
    r"(?P<clock>\d\d:\d\d:\d\d)(?P<part>[.,]\d{1,9})?"
    r"(?: (?P<zone>[A-Z]{2,5}|[+-]\d\d:?\d\d)(?![\w.-]))?(?: (?P<last>\d{4}))?"
    r"|(?P<iso>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?P<iso_part>[.,]\d{1,9})?(?P<iso_zone>Z|[+-]\d\d:?\d\d)?"
)
# The form that IOS writes by default: "521: router1: *Nov 14 08:30:56.699 UTC: ".
_IOS: Final = re.compile(
    r"(?:\d+: )?(?:([A-Za-z][^\s:]*): )?(?:\d+: )?"
    r"[*.]?([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d)(\.\d{1,9})?(?: ([A-Z]{3,5}))?: "
).fullmatch
_NODE: Final = re.compile(r"(?:RP|LC|SC|DRP|SP|B)?/?\d+/\w+/CPU\d+\Z|[*.]?(?:\d\d:\d\d:\d\d|\d+[wdhy]\d+[dhmw]|\d+)\Z")
_PROCESS: Final = re.compile(r"(.+)\[(\d+)\]\Z")
_ASA: Final = frozenset(("ASA", "PIX", "FWSM", "FTD"))


def read_cisco(body: str, clock: Clock, received: float | None) -> ParsedLine | None:
    """Read a line that has a mnemonic near its start; None otherwise. ``body`` is what follows the priority."""
    start = body.find("%", 0, _LONGEST_PREFIX)
    if start < 0:
        return None
    match = MNEMONIC.match(body, start)
    if match is None:
        return None
    facility = match[1]
    if facility.partition("-")[0] in _ASA:  # %ASA-session-5-106100
        facility = facility.partition("-")[0]
    prefix = body[:start]
    if (simple := _IOS(prefix)) is not None and facility not in _ASA:
        host, stamp, part, zone = simple.groups()
        when = clock.without_year(stamp, received, zone)
        if when is not None and part is not None:
            when += fraction(part)
        return ParsedLine("cisco-ios", when, host or "", facility, "", None, int(match[2]), body[start:])
    stamps = list(_STAMP.finditer(prefix))
    # A relay puts its own time in front of the device's: the last one is the device's.
    when = _time(stamps[-1], clock, received) if stamps else None
    host, app, pid = _names(_STAMP.sub(" ", prefix))
    if facility in _ASA:
        form = "cisco-asa"
    elif stamps and stamps[-1]["before"]:
        form = "cisco-nxos"
    elif app and not pid:
        form = "eos"
    else:
        form = "cisco-ios"
    return ParsedLine(form, when, host, app or facility, pid, None, int(match[2]), body[start:])


def _time(stamp: re.Match[str], clock: Clock, received: float | None) -> float | None:
    if stamp["iso"]:
        when = clock.with_year(stamp["iso"], stamp["iso_zone"])
        part = stamp["iso_part"]
    else:
        year = stamp["before"] or stamp["after"] or stamp["last"]
        part = stamp["part"]
        if year:
            when = clock.named_month(year, stamp["month"], stamp["day"], stamp["clock"], stamp["zone"])
        else:
            text = f"{stamp['month'][:3]} {stamp['day']:>2} {stamp['clock']}"
            when = clock.without_year(text, received, stamp["zone"])
    return None if when is None else when + fraction(part)


def _names(prefix: str) -> tuple[str, str, str]:
    """Host, app and process id from the words of a prefix without its timestamps."""
    words = [word.strip(":,") for word in prefix.split()]
    words = [word for word in words if word and not _NODE.match(word)]
    app = pid = ""
    if words and (process := _PROCESS.match(words[-1])):
        app, pid = process[1], process[2]
        words.pop()
    elif len(words) > 1 and words[-1][0].isalpha() and not words[-1].startswith("RP/"):
        app = words.pop()
    return (words[0].lstrip("*.") if words else ""), app, pid
