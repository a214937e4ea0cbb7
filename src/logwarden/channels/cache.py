"""A bounded cache of model scores."""

from __future__ import annotations

from collections import OrderedDict


class ScoreCache:
    """Scores keyed by template id, the least recently used dropped first.

    A template id is a hash of the exact text that the model reads, so equal keys mean equal model input.
    """

    def __init__(self, size: int = 100_000) -> None:
        self._size = size
        self._scores: OrderedDict[int, tuple[float, float]] = OrderedDict()
        self.hits = 0
        self.misses = 0

    @property
    def hit_rate(self) -> float:
        """Share of the look-ups that found a score, 0 to 1."""
        return self.hits / max(1, self.hits + self.misses)

    def __contains__(self, template: int) -> bool:
        if template in self._scores:
            self.hits += 1
            return True
        self.misses += 1
        return False

    def get(self, template: int) -> tuple[float, float]:
        """Return (probability, loss) of a cached template."""
        self._scores.move_to_end(template)
        return self._scores[template]

    def put(self, template: int, score: tuple[float, float]) -> None:
        """Add a score; drop the least recently used one when full."""
        self._scores[template] = score
        if len(self._scores) > self._size:
            self._scores.popitem(last=False)
