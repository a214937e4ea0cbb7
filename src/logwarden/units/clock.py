"""The clock of a file whose lines were not stamped on receipt."""

from __future__ import annotations

_HOUR = 3600.0
_WITNESSES = 3


class StatedClock:
    """Time by the lines' own stamps, not fooled by one device with a wrong clock.

    Stamps move the clock forward. A stamp more than an hour off is believed only when several lines in a row agree
    (a night without logs, or the next file of a set); until then such lines get the time of their neighbours.
    """

    __slots__ = ("_doubts", "now")

    def __init__(self, now: float = 0.0) -> None:
        self.now = now
        self._doubts = 0

    def place(self, stated: float | None) -> float:
        """Return the Unix time at which to place a line that states ``stated`` (None: it states nothing)."""
        if stated is None:
            return self.now
        ahead = stated - self.now
        if 0 <= ahead <= _HOUR or self.now == 0:
            self.now = stated
            self._doubts = 0
        elif abs(ahead) > _HOUR:
            self._doubts += 1
            if self._doubts >= _WITNESSES:
                self.now = stated
                self._doubts = 0
        else:
            self._doubts = 0
        return self.now
