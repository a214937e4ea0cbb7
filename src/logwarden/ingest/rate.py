"""How many lines a second each sender may send."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

_BURST_SECONDS = 10.0
_MAX_SENDERS = 10_000


class RateLimit:
    """A budget of lines for each sender, filled at a steady rate up to ten seconds' worth.

    A request is let in while there is any budget left, and may overdraw it: requests are not cut in two, and one of any
    size gets in after a pause.

    Parameters
    ----------
    lines_per_second
        None lets everything in.
    now
        Clock in seconds.
    """

    def __init__(self, lines_per_second: int | None, now: Callable[[], float] = time.monotonic) -> None:
        self._rate = lines_per_second
        self._now = now
        self._budgets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, sender: str) -> float:
        """Return the seconds after which this sender may send; 0 when it may now."""
        if self._rate is None:
            return 0.0
        left = self._left(sender)
        return 0.0 if left > 0 else (1 - left) / self._rate

    def charge(self, sender: str, lines: int) -> None:
        """Take lines from the budget of a sender."""
        if self._rate is None:
            return
        self._budgets[sender] = (self._left(sender) - lines, self._now())
        self._budgets.move_to_end(sender)
        while len(self._budgets) > _MAX_SENDERS:
            self._budgets.popitem(last=False)

    def _left(self, sender: str) -> float:
        assert self._rate is not None
        most = self._rate * _BURST_SECONDS
        left, at = self._budgets.get(sender, (most, self._now()))
        return min(most, left + (self._now() - at) * self._rate)
