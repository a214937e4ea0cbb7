"""The line parser: one fast path for the common syslog headers, and a chain of readers for everything else."""

from __future__ import annotations

import re
from datetime import UTC, tzinfo
from typing import Final

from logwarden.events import ParsedLine, Rejected
from logwarden.parse.times import Clock

MAX_LINE: Final = 65_536
"""Longest line in characters that is parsed; a longer one is rejected."""

_HEADER = re.compile(
    r"(?:<(\d{1,3})>)? ?"
    r"(?:([A-Z][a-z]{2} {1,2}\d{1,2} \d\d:\d\d:\d\d)"
    r"|(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)([.,]\d+)?(Z|[+-]\d\d:?\d\d)?)"
    r" {1,2}(\S+) ([A-Za-z_/.(-][^\s:\[]*)(?:\[([^\]\s]*)\])?: ?(.*)",
    re.DOTALL,
).match
_PRIORITY: Final = {str(value): (value >> 3, value & 7) for value in range(192)}
_NO_PRIORITY: Final = (None, None)


class LineParser:
    """Reads lines of any source. Keeps caches, so use one per thread.

    Parameters
    ----------
    timezone
        Zone of timestamps that state none.
    """

    def __init__(self, timezone: tzinfo = UTC) -> None:
        self._clock = Clock(timezone)

    def parse(self, text: str, received: float | None = None) -> ParsedLine | Rejected:
        """Read one line. Never raises.

        Parameters
        ----------
        text
            The raw line without its end.
        received
            Unix seconds at which it was received: decides the year of timestamps without one.
        """
        match = _HEADER(text)
        if match is None:
            if not text.strip():
                return Rejected("empty line")
            return ParsedLine("plain", None, "", "", "", None, None, text)
        pri, bsd, iso, fraction, zone, host, app, pid, message = match.groups()
        facility, severity = _PRIORITY.get(pri, _NO_PRIORITY)
        if bsd is not None:
            when = self._clock.without_year(bsd, received)
        else:
            when = self._clock.with_year(iso, zone)
        return ParsedLine("rfc3164", when, host, app, pid or "", facility, severity, message)
