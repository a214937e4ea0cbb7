"""What an endpoint counts for metrics."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Tally:
    """What an endpoint took and refused since it started, for metrics."""

    lines: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Lines handed on, by sender and protocol."""
    rejected: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Lines that could not be taken apart, likewise."""
    answers: Counter[int] = field(default_factory=Counter)
    """Answers by status."""
    repeated: int = 0
    """Requests that had been taken before, known by their key."""
    body_bytes: int = 0
