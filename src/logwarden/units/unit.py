"""The unit of detection and how it is cut."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class UnitConfig:
    """How a stream is cut into units.

    A window holds the lines of one host in one slot of ``seconds`` seconds; a slot with more than ``lines`` lines
    gives several windows, so that a burst is seen before its slot ends. With ``lines`` 1 every line is a unit.
    """

    kind: str = "window"
    lines: int = 64
    seconds: float = 30.0

    def to_json(self) -> dict[str, str | int | float]:
        """Return plain values."""
        return {"kind": self.kind, "lines": self.lines, "seconds": self.seconds}


@dataclass(slots=True)
class Unit:
    """Consecutive lines of one host in one stream.

    Attributes
    ----------
    host
        Name of the device.
    stream
        Stream that holds the lines.
    slot
        Start of the time slot, Unix seconds.
    positions, times, texts, templates
        One entry per line: position in the stream, Unix seconds, raw text, template id.
    clock_offset
        Time stated in the last line minus the time it was received, seconds; None where either is unknown.
    silent_since, silent_until
        Set when the unit says that a host fell silent: Unix seconds of its last line, and of the finding. Such a unit
        has no lines; ``positions`` holds the position of the last one.
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
        """Lines per template."""
        return Counter(self.templates)
