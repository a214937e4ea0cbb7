"""Severity and facility words to the numbers of RFC 5424."""

from __future__ import annotations

from typing import Final

SEVERITIES: Final = {
    "emerg": 0, "emergency": 0, "panic": 0, "alert": 1, "crit": 2, "critical": 2, "fatal": 2, "severe": 2, "error": 3,
    "err": 3, "failure": 3, "warning": 4, "warn": 4, "notice": 5, "info": 6, "information": 6, "informational": 6,
    "debug": 7, "trace": 7, "fine": 7, "verbose": 7, "f": 2, "e": 3, "w": 4, "i": 6, "d": 7, "v": 7,
}  # fmt: skip

_FACILITY_NAMES: Final = [
    "kern",
    "user",
    "mail",
    "daemon",
    "auth",
    "syslog",
    "lpr",
    "news",
    "uucp",
    "cron",
    "authpriv",
    "ftp",
    "ntp",
    "audit",
    "alert",
    "clock",
    "local0",
    "local1",
    "local2",
    "local3",
    "local4",
    "local5",
    "local6",
    "local7",
]
FACILITIES: Final = {name: number for number, name in enumerate(_FACILITY_NAMES)}


def severity_of(value: object) -> int | None:
    """Severity from a word (``warn``) or a number from 0 to 7; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if 0 <= value <= 7 else None
    if not isinstance(value, str):
        return None
    text = value.strip().lower()
    return int(text) if text in set("01234567") else SEVERITIES.get(text)


def facility_of(value: object) -> int | None:
    """Facility from a word (``local4``) or a number from 0 to 23; None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if 0 <= value <= 23 else None
    return FACILITIES.get(value.strip().lower()) if isinstance(value, str) else None
