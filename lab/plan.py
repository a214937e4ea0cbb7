"""What happens when: drawn from the seed alone, before anything runs."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lab import SIMULATED_DAY_SECONDS
from lab.events import FAULTS, HELD_OUT_KINDS, KINDS, MAINTENANCE

QUIET_SECONDS = 120.0
"""Normal life at the beginning of a recording; a sixth of a short one."""
SHORTEST_GAP = 25.0
SETTLE_SECONDS = 4.0
_MEAN_FAULT = 52.0
"""Average duration of a fault with its recovery, from which the gaps follow."""


@dataclass(frozen=True)
class Step:
    """An event of the plan.

    Attributes
    ----------
    gap
        Seconds of normal life before it.
    dice
        Seed for the event's own random choices.
    """

    kind: str
    gap: float
    seconds: float
    dice: int


def chosen_kinds(
    only: Sequence[str] = (), exclude: Sequence[str] = (), without_held_out: bool = False
) -> tuple[str, ...]:
    """Kinds of faults that may occur.

    Raises
    ------
    ValueError
        If a name is unknown or nothing is left.
    """
    unknown = sorted({*only, *exclude} - set(FAULTS))
    if unknown:
        raise ValueError(f"no such kind of fault: {', '.join(unknown)}")
    kinds = [kind for kind in (only or FAULTS) if kind not in exclude]
    if without_held_out:
        kinds = [kind for kind in kinds if kind not in HELD_OUT_KINDS]
    if not kinds:
        raise ValueError("no kind of fault is left")
    return tuple(sorted(set(kinds)))


def deck(rng: random.Random, kinds: Sequence[str]) -> Iterator[str]:
    """Kinds in random order, each once before any comes again."""
    while True:
        cards = list(kinds)
        rng.shuffle(cards)
        yield from cards


def steps(
    seed: int, kinds: Sequence[str], faults_per_day: float, quiet_seconds: float = QUIET_SECONDS
) -> Iterator[Step]:
    """Endless plan of a recording; the clock decides how much of it happens.

    About every third event is planned maintenance. With ``faults_per_day`` of 0 there is
    only maintenance.
    """
    rng = random.Random(f"plan/{seed}")
    faults, work = deck(rng, kinds), deck(rng, MAINTENANCE)
    mean_gap = SIMULATED_DAY_SECONDS / faults_per_day - _MEAN_FAULT if faults_per_day else 120.0
    spare = max(4.0, mean_gap - SHORTEST_GAP)
    first = True
    while True:
        planned = not faults_per_day or (not first and rng.random() < 0.28)
        kind = KINDS[next(work) if planned else next(faults)]
        # Planned work is short and may come closer to its neighbours.
        extra = rng.uniform(0, 8) if planned else min(rng.expovariate(1 / spare), 90)
        gap = (12 if planned else SHORTEST_GAP) + extra
        gap = quiet_seconds + rng.uniform(0, 10) if first else gap
        yield Step(kind.name, gap, rng.uniform(*kind.seconds), rng.randrange(2**31))
        first = False


def quiet_seconds(seconds: float) -> float:
    """Normal life at the beginning of a recording of so many seconds."""
    return min(QUIET_SECONDS, seconds / 6)


def first_hour(seed: int) -> float:
    """Hour of the simulated day at which a recording begins."""
    return random.Random(f"hour/{seed}").choice((0, 4, 6, 8, 12, 18, 20))
