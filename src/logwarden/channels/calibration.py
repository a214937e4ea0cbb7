"""From raw scores of any scale to the probability that a normal unit scores as high."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from math import log10
from typing import Any

_POINTS = 40
_LN10 = 2.302585
_MOST = 9.0


@dataclass(frozen=True, slots=True)
class Tail:
    """The upper tail of a raw score among normal units.

    Within what was seen, the tail probability is the share of normal units that score as high; above the highest, it
    falls off exponentially with the mean excess of the upper scores (peaks over threshold, Pickands 1975).

    Attributes
    ----------
    values, surprises
        Raw scores, increasing, and -log10 of the tail probability at each.
    scale
        Mean excess in the tail, in units of the raw score.
    """

    values: tuple[float, ...]
    surprises: tuple[float, ...]
    scale: float

    @classmethod
    def fit(cls, raws: Sequence[float], units: int, default_scale: float) -> Tail:
        """Fit to the positive raw scores of ``units`` normal units; the units without a finding scored 0."""
        ordered = sorted(raw for raw in raws if raw > 0)
        upper = ordered[int(0.5 * len(ordered)) :]
        scale = sum(raw - upper[0] for raw in upper) / len(upper) if len(upper) > 1 else 0.0
        step = max(1, len(ordered) // _POINTS)
        # The very highest stay all in the table: there the tail matters most.
        kept = sorted({*range(0, len(ordered), step), *range(max(0, len(ordered) - 10), len(ordered))})
        values = tuple(sorted({ordered[i] for i in kept}))
        # As many units score a value as there are from its first place on.
        surprises = tuple(log10((units + 1) / (len(ordered) - bisect_left(ordered, value) + 1)) for value in values)
        floor = log10((units + 1) / (len(ordered) + 1))
        return cls(
            (0.0, *values), (min(floor, surprises[0] if surprises else floor), *surprises), max(scale, default_scale)
        )

    def surprise(self, raw: float) -> float:
        """Return -log10 of the probability that a normal unit scores ``raw`` or more: 0 for raw 0, at most 9."""
        if raw <= 0:
            return 0.0
        if raw >= self.values[-1]:
            return min(_MOST, self.surprises[-1] + (raw - self.values[-1]) / (self.scale * _LN10))
        return self.surprises[max(0, bisect_left(self.values, raw) - 1)]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "values": [round(v, 5) for v in self.values],
            "surprises": [round(s, 4) for s in self.surprises],
            "scale": round(self.scale, 5),
        }

    @classmethod
    def from_json(cls, fitted: dict[str, Any]) -> Tail:
        """Rebuild from :meth:`to_json`."""
        return cls(tuple(fitted["values"]), tuple(fitted["surprises"]), fitted["scale"])


def to_score(surprise: float) -> float:
    """Map a surprise to [0, 1]: one normal unit in a hundred scores 0.5 or more, one in ten thousand 0.75."""
    return 1.0 - float(2.0 ** (-surprise / 2.0))
