"""What stands behind a header: vendor marks, and messages that are themselves CEF, LEEF, JSON or key=value."""

from __future__ import annotations

import re
from string import ascii_uppercase
from typing import Final

from logwarden.events import ParsedLine
from logwarden.parse.cisco import MNEMONIC
from logwarden.parse.structured import read_cef, read_json, read_key_value, read_leef
from logwarden.parse.times import Clock

STRUCTURED_STARTS: Final = frozenset(
    [first + second for first in ascii_uppercase for second in ascii_uppercase]
    + ["%" + second for second in ascii_uppercase]
    + ['{"', "{ ", "{\t", "{\n", "{}"]
)
"""First two characters of messages that need a second look."""

_JUNOS_TAG: Final = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+: ")
_FRR_ID: Final = re.compile(r"\[[A-Z0-9]{5}-[A-Z0-9]{5}\]")
_PAIR_FIRST: Final = re.compile(r"[A-Za-z_][\w.-]{0,40}=")


def refine(line: ParsedLine, clock: Clock, received: float | None) -> ParsedLine:
    """Look into the message of a line whose header was read, and return the line with its proper format."""
    message = line.message
    if message[:1].isupper() and line.app and not message.startswith(("CEF:", "LEEF:")):
        return line._replace(format="junos") if line.format == "rfc3164" and _JUNOS_TAG.match(message) else line
    if line.format == "plain" or message[:2] in STRUCTURED_STARTS:
        structured = (
            read_cef(line)
            or read_leef(line, clock, received)
            or (read_json(line, clock, received) if message.lstrip()[:1] == "{" else None)
        )
        if structured is not None:
            return structured
    if _PAIR_FIRST.match(message) and (pairs := read_key_value(line, clock, received)) is not None:
        return pairs
    if line.format == "rfc3164":
        return line._replace(format=_vendor(message))
    return line


def _vendor(message: str) -> str:
    if MNEMONIC.match(message):
        return "eos"
    if _JUNOS_TAG.match(message):
        return "junos"
    return "frr" if _FRR_ID.match(message) else "rfc3164"
