"""The compressed day: how busy the network is at each hour."""

from __future__ import annotations

from lab import SIMULATED_DAY_SECONDS

_PROFILE = (
    0.15, 0.12, 0.12, 0.12, 0.15, 0.2, 0.35, 0.6, 0.9, 1.0, 1.0, 0.95,
    0.75, 0.9, 1.0, 1.0, 0.95, 0.8, 0.6, 0.45, 0.35, 0.3, 0.25, 0.2,
)  # fmt: skip


def hour_at(seconds: float, first_hour: float) -> float:
    """Simulated hour of the day `seconds` after the start of the recording."""
    return (first_hour + seconds * 24 / SIMULATED_DAY_SECONDS) % 24


def busy_at(seconds: float, first_hour: float) -> float:
    """Share of the peak load, 0 to 1, linear between full hours."""
    hour = hour_at(seconds, first_hour)
    before = _PROFILE[int(hour) % 24]
    after = _PROFILE[(int(hour) + 1) % 24]
    return before + (after - before) * (hour % 1)
