"""How long lines take from being received to being stored."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import numpy as np

BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Upper bounds of the histogram's buckets, seconds; one more bucket is open."""


class Latency:
    """A histogram that is filled by whole batches: one call for every line would cost more than the line."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = np.zeros(len(BOUNDS) + 1, dtype=np.int64)
        self._sum = 0.0

    def observe(self, received: Sequence[Sequence[float]]) -> None:
        """Count lines that are stored now, by their receive times in Unix seconds."""
        if not received:
            return
        now = time.time()
        taken = np.maximum(now - np.concatenate([np.asarray(times, dtype=np.float64) for times in received]), 0.0)
        counts = np.bincount(np.searchsorted(BOUNDS, taken), minlength=len(BOUNDS) + 1)
        with self._lock:
            self._counts += counts
            self._sum += float(taken.sum())

    def read(self) -> tuple[list[int], float]:
        """Return the lines in each bucket, and the sum of all latencies in seconds."""
        with self._lock:
            return [int(count) for count in self._counts], self._sum

    def slower_than(self, seconds: float) -> int:
        """Return the lines that took longer, as far as the buckets tell: at least those in the buckets above."""
        counts, _ = self.read()
        return sum(counts[int(np.searchsorted(BOUNDS, seconds)) + 1 :])
