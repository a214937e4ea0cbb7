"""The plain values that travel from a source to a detector.

These are small tuples without behaviour: one is made for every line, so they are cheap to build. What leaves the
process (records, cases) is defined in :mod:`logwarden.api` instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(slots=True)
class Batch:
    """Lines of one stream, in order, as a source hands them over.

    Attributes
    ----------
    stream
        Where the lines are kept: ``file:/var/log/syslog`` or ``netlogs-raw/0`` (topic and partition).
    positions
        Position of each line in the stream, increasing: 1-based line number of a file, 0-based offset of a topic.
    lines
        Raw text without the line end. Bytes that are not UTF-8 are kept as surrogate escapes.
    received
        Unix time in seconds at which each line was received, or None where the source does not know (a plain file):
        the parser then takes the time that the line itself states.
    peers
        Network address each line came from, or None where there is none.
    listener
        Name of the listener that received the lines, or None.
    late
        The lines may have been written long before they were received, so that their receive times say nothing of
        their senders' clocks.
    shift
        Seconds that a replay has added to the receive times, but not to the times that the lines state.
    """

    stream: str
    positions: Sequence[int]
    lines: Sequence[str]
    received: Sequence[float] | None = None
    peers: Sequence[str] | None = None
    listener: str | None = None
    late: bool = False
    shift: float = 0.0


class ParsedLine(NamedTuple):
    """A line with its header read.

    ``time`` is Unix seconds as the device stated it, or None. ``facility`` and ``severity`` are the numbers of
    RFC 5424 (section 6.2.1), or None when the line carries none. ``message`` is what is left for masking: the header
    is gone, structured data is kept in front of the text as ``key=value`` words.
    """

    format: str
    time: float | None
    host: str
    app: str
    pid: str
    facility: int | None
    severity: int | None
    message: str


class Rejected(NamedTuple):
    """A line that could not be read, with the reason in words."""

    reason: str
