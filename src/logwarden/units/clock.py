"""The clock of a file whose lines were not stamped on receipt."""

from __future__ import annotations

from collections.abc import Sequence

_HOUR = 3600.0
_WITNESSES = 3


class StatedClock:
    """Time by the lines' own stamps, not fooled by one device with a wrong clock.

    Stamps move the clock forward. A stamp more than an hour off is believed only when several lines in a row agree
    (a night without logs, or the next file of a set); until then such lines get the time of their neighbours.
    """

    __slots__ = ("_doubts", "now")

    def __init__(self) -> None:
        self.now = 0.0
        self._doubts = 0

    def to_state(self) -> list[float]:
        """Return plain values from which :meth:`from_state` goes on."""
        return [self.now, self._doubts]

    @classmethod
    def from_state(cls, state: Sequence[float]) -> StatedClock:
        """Go on where :meth:`to_state` stopped."""
        clock = cls()
        clock.now, clock._doubts = state[0], int(state[1])
        return clock

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
