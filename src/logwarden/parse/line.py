"""The line parser: a fast path for the common syslog header, and a chain of readers for everything else."""

from __future__ import annotations

import re
from datetime import UTC, tzinfo
from typing import Final

from logwarden.events import ParsedLine, Rejected
from logwarden.parse.cisco import read_cisco
from logwarden.parse.header import NO_PRIORITY, PRIORITY, read_header, read_rfc5424, split_priority
from logwarden.parse.payload import STRUCTURED_STARTS, refine
from logwarden.parse.plain import read_plain
from logwarden.parse.times import HALF_YEAR, Clock

MAX_LINE: Final = 65_536
"""Longest line in characters that is parsed; a longer one is rejected."""

_APP: Final = re.compile(r"[A-Za-z_/.(-][^\s:\[]*\Z")
_APP_CACHE_SIZE: Final = 8192
_BINARY_SAMPLE: Final = 4096

_new = tuple.__new__


class LineParser:
    """Reads lines of any source. Keeps caches, so use one per thread.

    Parameters
    ----------
    timezone
        Zone of timestamps that state none.
    """

    def __init__(self, timezone: tzinfo = UTC) -> None:
        self._clock = Clock(timezone)
        self._stamps = self._clock.without_year_cache
        self._apps: dict[str, tuple[str, str]] = {}

    def parse(self, text: str, received: float | None = None) -> ParsedLine | Rejected:
        """Read one line. Never raises.

        Parameters
        ----------
        text
            The raw line without its end.
        received
            Unix seconds at which it was received: decides the year of timestamps without one.
        """
        # The fast paths read a header whose timestamp and app were seen before. Anything else, and every first sight,
        # goes through the readers in _read, which fill the caches.
        end = text.find(">", 2, 5)
        when = self._stamps.get(text[end + 1 : end + 16])
        if when is not None:
            if received is not None and -HALF_YEAR < when - received < HALF_YEAR:
                words = text[end + 16 :].split(" ", 3)
                if len(words) == 4 and not words[0]:
                    line = self._tagged(text, end, when, words, received)
                    if line is not None:
                        return line
        elif text[end + 11 : end + 12] == "T" or text[end + 13 : end + 14] == "T":
            line = self._rfc3339(text, end, received)
            if line is not None:
                return line
        return self._read(text, received)

    def _rfc3339(self, text: str, end: int, received: float | None) -> ParsedLine | None:
        """Fast path for RFC 5424, and for RFC 3164 with an RFC 3339 timestamp; ``end`` is where the priority ends."""
        if len(text) > MAX_LINE:
            return None
        body = text[end + 1 :]
        if body[:2] == "1 ":
            facility, severity = PRIORITY.get(text[1:end], NO_PRIORITY) if text[:1] == "<" else NO_PRIORITY
            line = read_rfc5424(body, self._clock, facility, severity)
            if line is None or line.message[:2] not in STRUCTURED_STARTS:
                return line
            return refine(line, self._clock, received)
        words = body.split(" ", 3)
        if len(words) < 4 or (when := self._clock.iso(words[0])) is None:
            return None
        return self._tagged(text, end, when, words, received)

    def _tagged(self, text: str, end: int, when: float, words: list[str], received: float | None) -> ParsedLine | None:
        """The line of a known app. ``words``: anything, host, tag, message."""
        _, host, tag, message = words
        name, bracket, pid = tag.partition("[")
        known = self._apps.get(name)
        if known is None or (bracket and pid[-2:] != "]:") or len(text) > MAX_LINE or (end > 0 and text[0] != "<"):
            return None
        form, app = known
        facility, severity = PRIORITY.get(text[1:end], NO_PRIORITY)
        line = _new(ParsedLine, (form, when, host, app, pid[:-2], facility, severity, message))
        return refine(line, self._clock, received) if message[:2] in STRUCTURED_STARTS else line

    def _read(self, text: str, received: float | None) -> ParsedLine | Rejected:
        if len(text) > MAX_LINE:
            return Rejected(f"longer than {MAX_LINE} characters ({len(text)})")
        body, facility, severity = split_priority(text)
        if not body.strip():
            return Rejected("empty line" if facility is None else "nothing after the priority")
        line = (
            read_rfc5424(body, self._clock, facility, severity)
            or read_cisco(body, self._clock, received)
            or read_header(body, self._clock, received)
        )
        if line is None:
            if _is_binary(body):
                return Rejected("not text: most of it is control characters or bytes that are not UTF-8")
            line = read_plain(body, self._clock, received, tagged=facility is not None)
        if facility is not None and line.facility is None:
            line = line._replace(facility=facility, severity=severity)
        self._remember_app(line)
        return refine(line, self._clock, received)

    def _remember_app(self, line: ParsedLine) -> None:
        """Let the fast path know the app of a line with an RFC 3164 header."""
        if line.format in ("rfc3164", "frr") and _APP.match(line.app):
            if len(self._apps) >= _APP_CACHE_SIZE:
                self._apps.clear()
            self._apps[line.app if line.pid else f"{line.app}:"] = (line.format, line.app)


def _is_binary(text: str) -> bool:
    """Whether less than half of the characters can be read. Looks at the first 4,096."""
    sample = text[:_BINARY_SAMPLE]
    unreadable = sum(not (char.isprintable() or char in "\t\n\r") or char == "\ufffd" for char in sample)
    return unreadable * 2 > len(sample)
