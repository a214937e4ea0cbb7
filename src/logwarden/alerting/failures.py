"""Failed processing in the log: the root cause with a masked sample, once and not a thousand times."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable

from logwarden.alerting.news import AGAIN_SECONDS, failure_content, failure_key
from logwarden.outcome import RejectedLine
from logwarden.privacy import Privacy

_MOST_REASONS = 100
_log = logging.getLogger(__name__)


class FailureLog:
    """Logs lines that could not be processed, each stage and reason at most every five minutes with their number."""

    def __init__(self, privacy: Privacy, clock: Callable[[], float] = time.monotonic) -> None:
        self._privacy = privacy
        self._clock = clock
        self._told: dict[tuple[str, str], float] = {}
        self._lines: Counter[tuple[str, str]] = Counter()

    def note(self, lines: Iterable[RejectedLine]) -> None:
        """Take lines that could not be processed."""
        now = self._clock()
        for line in lines:
            key = failure_key(line)
            self._lines[key] += 1
            if now - self._told.get(key, -AGAIN_SECONDS) >= AGAIN_SECONDS:
                if len(self._told) >= _MOST_REASONS:
                    self._told.clear()
                self._told[key] = now
                self._tell(line, self._lines.pop(key))

    def _tell(self, line: RejectedLine, lines: int) -> None:
        content = failure_content(line, self._privacy)
        _log.warning(
            "%d lines could not be processed: stage %s: %s; such as %s at %d: %r",
            *(lines, content["stage"], content["reason"], content["stream"], content["position"], content["sample"]),
        )
