"""Divide files into an earlier, a later and the latest part, by the times of their lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from logwarden.errors import InvalidInputError
from logwarden.events import ParsedLine
from logwarden.parse import LineParser
from logwarden.sources.files import read_files
from logwarden.units.clock import StatedClock

TRAIN_SHARE, VALIDATION_SHARE = 0.6, 0.2
LEAST_LINES = 100
"""Fewer lines than this are too few to learn anything from."""

Times = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Span:
    """Lines ``first`` to ``last`` (1-based) of a file, and when they begin and end, Unix seconds (0: unknown)."""

    path: Path
    first: int
    last: int
    started: float
    ended: float

    @property
    def lines(self) -> int:
        """How many lines there are."""
        return self.last - self.first + 1


def split_files(paths: Sequence[Path], name: str) -> tuple[list[Span], list[Span], list[Span]]:
    """Divide files 60 : 20 : 20 by the number of lines, at two moments that are the same for all files.

    So neither files that were written side by side nor rotated ones leak the future into the training part. A file
    whose lines state no times is divided by their number.

    Raises
    ------
    InvalidInputError
        If there are fewer than :data:`LEAST_LINES` lines. ``name`` is what the message calls the files.
    """
    times = [line_times(path) for path in paths]
    total = sum(map(len, times))
    if total < LEAST_LINES:
        raise InvalidInputError(f"{name}: {total} lines are too few to learn from, at least {LEAST_LINES} are needed")
    moments = _moments(np.concatenate([of_file for of_file in times if of_file.any()] or [np.empty(0)]))
    parts: tuple[list[Span], list[Span], list[Span]] = ([], [], [])
    for path, of_file in zip(paths, times, strict=True):
        borders = [0, *_borders(of_file, moments), len(of_file)]
        for spans, first, last in zip(parts, borders[:-1], borders[1:], strict=True):
            if last > first:
                spans.append(Span(path, first + 1, last, float(of_file[first]), float(of_file[last - 1])))
    for spans in parts:
        spans.sort(key=lambda span: (span.started, span.path))
    return parts


def line_times(path: Path) -> Times:
    """Return when each line came, Unix seconds, never decreasing; all 0 where no line tells."""
    parse, clock = LineParser().parse, StatedClock()
    times: list[float] = []
    for batch in read_files([path]):
        if batch.received is not None:
            times += batch.received
            continue
        for text in batch.lines:
            parsed = parse(text, clock.now or None)
            times.append(clock.place(parsed.time if isinstance(parsed, ParsedLine) else None))
    placed = np.array(times, dtype=np.float64)
    if placed.any():
        placed[placed == 0] = placed[placed > 0][0]  # lines before the first that tells its time
    return np.maximum.accumulate(placed)


def _moments(times: Times) -> tuple[float, float] | None:
    """Return the times before which 60 % and 80 % of the lines came; None where they cannot be told apart."""
    if not len(times):
        return None
    ordered = np.sort(times)
    first, second = (float(ordered[int(share * len(ordered))]) for share in _shares())
    return (first, second) if ordered[0] < first < second else None


def _borders(times: Times, moments: tuple[float, float] | None) -> list[int]:
    if moments is None or not times.any():
        return [int(share * len(times)) for share in _shares()]
    return [int(np.searchsorted(times, moment, side="left")) for moment in moments]


def _shares() -> tuple[float, float]:
    return TRAIN_SHARE, TRAIN_SHARE + VALIDATION_SHARE
