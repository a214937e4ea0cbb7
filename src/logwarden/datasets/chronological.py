"""Divide files into an earlier, a later and the latest part, by the times of their lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from logwarden.datasets.recording import Lines, Recording
from logwarden.errors import InvalidInputError
from logwarden.events import ParsedLine
from logwarden.parse import LineParser
from logwarden.sources.files import read_files
from logwarden.units.clock import StatedClock

TRAIN_SHARE, VALIDATION_SHARE = 0.6, 0.2
LEAST_LINES = 100
"""Fewer lines than this are too few to learn anything from."""

_DAY = 86_400.0

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


Parts = tuple[list[Span], list[Span], list[Span]]


def split_files(paths: Sequence[Path], name: str) -> Parts:
    """Divide files as :func:`split_times` does, by the times that their lines tell."""
    return split_times({path: line_times(path) for path in paths}, name)


def split_times(times: Mapping[Path, Times], name: str) -> Parts:
    """Divide files 60 : 20 : 20 by the number of lines, at two moments that are the same for all files.

    So neither files that were written side by side nor rotated ones leak the future into the training part. A file
    whose lines state no times is divided by their number.

    Parameters
    ----------
    times
        When each line of each file came, Unix seconds, never decreasing; all 0 where no line tells.
    name
        What messages call the files.

    Raises
    ------
    InvalidInputError
        If there are fewer than :data:`LEAST_LINES` lines.
    """
    total = sum(map(len, times.values()))
    if total < LEAST_LINES:
        raise InvalidInputError(f"{name}: {total} lines are too few to learn from, at least {LEAST_LINES} are needed")
    moments = _moments(np.concatenate([of_file for of_file in times.values() if of_file.any()] or [np.empty(0)]))
    parts: Parts = ([], [], [])
    for path, of_file in times.items():
        borders = [0, *_borders(of_file, moments), len(of_file)]
        for spans, first, last in zip(parts, borders[:-1], borders[1:], strict=True):
            if last > first:
                spans.append(Span(path, first + 1, last, float(of_file[first]), float(of_file[last - 1])))
    for spans in parts:
        spans.sort(key=lambda span: (span.started, span.path))
    return parts


def recordings(spans: Iterable[Span], read: Callable[[Span], tuple[str, Lines]]) -> list[Recording]:
    """Return recordings of which nothing is known; ``read`` gives the name and the lines of a span."""
    spans = list(spans)
    dated = [span for span in spans if span.started]
    started, ended = min((s.started for s in dated), default=0.0), max((s.ended for s in dated), default=0.0)
    total = sum(span.lines for span in spans)
    return [
        Recording(
            *read(span),
            incidents=(),
            started=span.started,
            ended=span.ended,
            # What was written side by side shares the days.
            days=(ended - started) / _DAY * span.lines / total,
            labelled=False,
        )
        for span in spans
    ]


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
