"""The unit of detection and how it is cut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

LINE = "line"
WINDOW = "window"
SESSION = "session"
FLOW = "flow"
KINDS = (LINE, WINDOW, SESSION, FLOW)

_ALL_SESSIONS = "all sessions"
# Counts up to this one are told apart in a session; of larger ones only the power of two.
_EXACT_COUNT = 32


@dataclass(frozen=True, slots=True)
class UnitConfig:
    """How a stream is cut into units.

    Attributes
    ----------
    kind
        ``window``: the lines of one host in one slot of ``seconds`` seconds; a slot with more than ``lines`` lines
        gives several windows, so that a burst is seen before its slot ends. ``line``: a window of one line.
        ``session``: the lines in which the regular expression ``key`` finds the same text, until none came for
        ``idle_seconds`` seconds. ``flow``: a line that is a flow record, told in the words of ``fields``.
    fields
        What training saw of the fields of flow records, see :class:`logwarden.units.flows.FlowWords`.
    """

    kind: str = WINDOW
    lines: int = 64
    seconds: float = 30.0
    key: str = ""
    idle_seconds: float = 600.0
    fields: dict[str, list[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse kinds of a later version.

        Raises
        ------
        ValueError
            If the kind is not one of :data:`KINDS`.
        """
        if self.kind not in KINDS:
            raise ValueError(f"unit kind {self.kind!r}, expected one of {', '.join(KINDS)}")

    @classmethod
    def line(cls) -> UnitConfig:
        """Every line is a unit."""
        return cls(LINE, lines=1)

    @classmethod
    def session(cls, key: str, idle_seconds: float) -> UnitConfig:
        """Lines with the same key are a unit."""
        return cls(SESSION, key=key, idle_seconds=idle_seconds)

    @classmethod
    def flow(cls, fields: dict[str, list[Any]] | None = None) -> UnitConfig:
        """Every flow record is a unit; training finds out what its fields say."""
        return cls(FLOW, lines=1, fields=fields or {})

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        if self.kind == FLOW:
            return {"kind": self.kind, "lines": self.lines, "fields": self.fields}
        if self.kind == SESSION:
            return {"kind": self.kind, "key": self.key, "idle_seconds": self.idle_seconds}
        return {"kind": self.kind, "lines": self.lines, "seconds": self.seconds}

    def decided_at(self, end: float, lines: int) -> float:
        """Return when a unit of ``lines`` lines (0: a silence) that ends at ``end`` is judged, Unix seconds.

        The input may end before, or a session may have to make room: then it is judged earlier.
        """
        if self.kind == SESSION:
            return end + self.idle_seconds
        if 0 < lines < self.lines:
            return end - end % self.seconds + self.seconds  # it stays open until its slot ends
        return end


@dataclass(slots=True)
class Unit:
    """Lines of one stream that are judged together: consecutive ones of a host, or those of a session.

    Attributes
    ----------
    host
        Name of the device; of a session, that of its first line.
    stream
        Stream that holds the lines.
    slot
        Start of the time slot, Unix seconds; of a session, the time of its first line.
    positions, times, texts, templates
        One entry per line: position in the stream, Unix seconds, raw text, template id.
    clock_offset
        Time stated in the last line minus the time it was received, seconds; None where either is unknown.
    silent_since, silent_until
        Set when the unit says that a host fell silent: Unix seconds of its last line, and of the finding. Such a unit
        has no lines; ``positions`` holds the position of the last one.
    session
        Key of the session; empty for a line without a key, None where units are no sessions.
    words, company
        Of a flow record, the ids of its words, and of those that its kind is told by; None of other units.
    """

    host: str
    stream: str
    slot: float
    positions: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    templates: list[int] = field(default_factory=list)
    clock_offset: float | None = None
    silent_since: float | None = None
    silent_until: float | None = None
    session: str | None = None
    words: list[int] | None = None
    company: list[int] | None = None
    _counted: int = field(default=0, repr=False, compare=False)
    _counts: Counter[int] = field(default_factory=Counter, repr=False, compare=False)

    @property
    def start(self) -> float:
        """Unix seconds of the first line, or of the last line before a silence."""
        return self.times[0] if self.silent_since is None else self.silent_since

    @property
    def end(self) -> float:
        """Unix seconds of the last line, or of the moment when a silence was noticed."""
        return self.times[-1] if self.silent_until is None else self.silent_until

    @property
    def counts(self) -> Counter[int]:
        """Lines per template; of a flow record, its words.

        Every channel asks, so they are counted once: not to be changed by who asks.
        """
        if self._counted != len(self.templates):
            counted = self.templates if self.words is None else self.words
            self._counts, self._counted = Counter(counted), len(self.templates)
        return self._counts

    @property
    def occurrences(self) -> Iterable[tuple[int, float]]:
        """Template and time of each line; of a flow record, of each word."""
        if self.words is None:
            return zip(self.templates, self.times, strict=True)
        return ((word, self.times[0]) for word in self.words)

    @property
    def group(self) -> str:
        """Whose normal the unit is compared with: its host's, or that of all sessions."""
        return self.host if self.session is None else _ALL_SESSIONS

    @property
    def combination(self) -> tuple[int, ...]:
        """What occurs together: the set of templates; in a session, each template followed by its count."""
        if self.company is not None:
            return tuple(self.company)
        if self.session is None:
            return tuple(sorted(self.counts))
        return tuple(number for template, count in sorted(self.counts.items()) for number in (template, _about(count)))


def _about(count: int) -> int:
    """Return a count such that a session of a thousand lines is nothing new after one of a thousand and one."""
    return count if count <= _EXACT_COUNT else 1 << count.bit_length() - 1
