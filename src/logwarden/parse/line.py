"""The line parser: a fast path for the common syslog header, and a chain of readers for everything else."""

from __future__ import annotations

import re
from datetime import UTC, tzinfo
from typing import Final, TypeVar

from logwarden.events import ParsedLine, Rejected
from logwarden.parse.cisco import read_cisco
from logwarden.parse.header import PRIORITIES, Priority, read_header, read_rfc5424, split_priority
from logwarden.parse.payload import STRUCTURED_STARTS, refine
from logwarden.parse.plain import read_plain
from logwarden.parse.times import HALF_YEAR, SECONDS, Clock

MAX_LINE: Final = 65_536
"""Longest line in characters that is parsed; a longer one is rejected."""

_APP: Final = re.compile(r"[A-Za-z_/.(-][^\s:\[]*\Z")
_TAG_CACHE_SIZE: Final = 8192
_LONGEST_TAG: Final = 128
# What journalctl says between the entries: that there are none, where a boot begins, what the journal covers.
_JOURNALCTL: Final = re.compile(
    r"-- (?:No entries|(?:Re)?[Bb]oot(?: [0-9a-f]{32})?|(?:Journal begins|Logs begin) at .+) --|-- cursor: \S+"
)
_BINARY_SAMPLE: Final = 4096
_LONGEST_SPLIT: Final = 512
_COUNTER: Final = '[meta sequenceId="'
# Others may take the time from their message.
_TIMED_BY_HEADER: Final = frozenset(("rfc3164", "rfc5424", "frr", "junos"))

_SECONDS_AND_SPACE: Final = {f"{text} ": second for text, second in SECONDS.items()}

_Value = TypeVar("_Value")
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
        self._minutes = self._clock.minutes
        # Unix seconds of minutes with the priority in front of them (``<13>Mar  1 00:00``).
        self._heads: dict[str, float] = {}
        self._hosts: dict[str, None] = {}
        # Of tags seen before (``sshd[7]:``): format, app, process id; and of their names alone: format, app.
        self._tags: dict[str, tuple[str, str, str]] = {}
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
        # The fast paths read a header whose minute and app were seen before. Anything else, and every first sight,
        # goes through the readers in _read, which fill the caches.
        start = text.find(">", 2, 5) + 1
        priority = PRIORITIES.get(text[:start])
        if priority is not None and len(text) <= MAX_LINE:
            minute = self._minutes.get(text[start : start + 12])
            line = None
            if minute is not None:
                second = SECONDS.get(text[start + 12 : start + 15])
                if second is not None and received is not None and -HALF_YEAR < minute + second - received < HALF_YEAR:
                    words = text[start + 15 :].split(" ", 3)
                    if len(words) == 4 and not words[0]:
                        line = self._tagged(minute + second, words, priority, received)
            elif text[start + 10 : start + 11] == "T" or text[start + 12 : start + 13] == "T":
                line = self._rfc3339(text[start:], priority, received)
            if line is not None:
                return line
        return self._read(text, received)

    def split(self, text: str, received: float | None) -> tuple[float, str] | None:
        """Split a line in the header's time, Unix seconds, and the rest, without what says nothing of the event.

        Lines with equal rests have equal hosts, apps and messages, so that most lines of a network need not be parsed:
        see :meth:`repeats`. None where that cannot be told at a glance. Parameters are those of :meth:`parse`.
        """
        if received is None or len(text) > _LONGEST_SPLIT:
            return None
        start = text.find(">", 2, 5) + 1
        head = text[: start + 12]
        minute = self._heads.get(head)
        if minute is None:
            if text[:start] not in PRIORITIES:
                return None
            minute = self._minutes.get(text[start : start + 12])
            if minute is None:
                return self._split_rfc5424(text[start:]) if text[start : start + 2] == "1 " else None
            _remember(self._heads, head, minute)
        second = _SECONDS_AND_SPACE.get(text[start + 12 : start + 16])
        if second is None:
            return None
        if not -HALF_YEAR < minute + second - received < HALF_YEAR:
            del self._heads[head]  # the year has moved on
            return None
        return minute + second, text[start + 15 :]

    def _split_rfc5424(self, body: str) -> tuple[float, str] | None:
        """Leaves out the counter that syslog-ng puts into every line, and with it the process id."""
        words = body.split(" ", 6)
        if len(words) < 7 or (when := self._clock.iso(words[1])) is None:
            return None
        _, _, host, app, pid, message_id, rest = words
        if rest.startswith(_COUNTER):
            number, _, message = rest[len(_COUNTER) :].partition('"]')
            if number.isdecimal():
                return when, f"1 {host} {app} {message_id} counted {message}"
        return when, f"1 {host} {app} {pid} {message_id} {rest}"

    @staticmethod
    def repeats(line: ParsedLine, when: float, rest: str) -> bool:
        """Whether every line that :meth:`split` gives this rest is this line at another time."""
        if line.time != when or line.format not in _TIMED_BY_HEADER:
            return False
        # After a time without year, a time zone may stand where the host is expected. "1" starts an RFC 5424 line.
        return rest[0] == "1" or (line.host != "" and rest.startswith(f" {line.host} "))

    def _rfc3339(self, body: str, priority: Priority, received: float | None) -> ParsedLine | None:
        """Fast path for what follows the priority of RFC 5424, and of RFC 3164 with an RFC 3339 timestamp."""
        if body[:2] == "1 ":
            line = read_rfc5424(body, self._clock, *priority)
            if line is None or line.message[:2] not in STRUCTURED_STARTS:
                return line
            return refine(line, self._clock, received)
        words = body.split(" ", 3)
        if len(words) < 4 or (when := self._clock.iso(words[0])) is None:
            return None
        return self._tagged(when, words, priority, received)

    def _tagged(self, when: float, words: list[str], priority: Priority, received: float | None) -> ParsedLine | None:
        """The line of a known app. ``words``: anything, host, tag, message."""
        _, host, tag, message = words
        if host not in self._hosts:  # or the tag of a line that names no host would be taken for one
            return None
        known = self._tags.get(tag) or self._known_app(tag)
        if known is None:
            return None
        line = _new(ParsedLine, (known[0], when, host, known[1], known[2], *priority, message))
        return refine(line, self._clock, received) if message[:2] in STRUCTURED_STARTS else line

    def _known_app(self, tag: str) -> tuple[str, str, str] | None:
        """Format, app and process id of the tag of a known app, at its first sight."""
        name, bracket, pid = tag.partition("[")
        known = self._apps.get(name)
        whole = pid[-2:] == "]:" and "]" not in pid[:-2] and name[-1:] != ":" if bracket else name[-1:] == ":"
        if known is None or not whole:
            return None
        found = (*known, pid[:-2])
        if len(tag) <= _LONGEST_TAG:
            _remember(self._tags, tag, found)
        return found

    def _read(self, text: str, received: float | None) -> ParsedLine | Rejected:
        if len(text) > MAX_LINE:
            return Rejected(f"longer than {MAX_LINE} characters ({len(text)})")
        body, facility, severity = split_priority(text)
        if not body.strip():
            return Rejected("empty line" if facility is None else "nothing after the priority")
        if text.startswith("-- ") and _JOURNALCTL.fullmatch(text):
            return Rejected("a remark of journalctl, not an entry of the journal")
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
        if (
            line.format in ("rfc3164", "frr")
            and len(line.app) <= _LONGEST_TAG
            and _APP.match(line.app)
            and "%" not in line.app
        ):
            _remember(self._apps, line.app if line.pid else f"{line.app}:", (line.format, line.app))
            if line.host and len(line.host) <= _LONGEST_TAG:
                _remember(self._hosts, line.host, None)


def _remember(cache: dict[str, _Value], key: str, value: _Value) -> None:
    if len(cache) >= _TAG_CACHE_SIZE:
        cache.clear()
    cache[key] = value


def _is_binary(text: str) -> bool:
    """Whether less than half of the characters can be read. Looks at the first 4,096."""
    sample = text[:_BINARY_SAMPLE]
    if sample.isprintable() and "\ufffd" not in sample:
        return False
    unreadable = sum(not (char.isprintable() or char in "\t\n\r") or char == "\ufffd" for char in sample)
    return unreadable * 2 > len(sample)
