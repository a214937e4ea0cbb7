"""Progress of a run: a bar on a terminal, a log line every ten seconds elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from types import TracebackType
from typing import NamedTuple, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

_log = logging.getLogger(__name__)
_LOG_SECONDS = 10.0


class Reached(NamedTuple):
    """How much of a step is done, from 0 to 1, and the estimated seconds to its end, None while that is unknown."""

    done: float
    remaining: float | None


REACHED: dict[str, Reached] = {}
"""How far this process is with each step, by its label; a process trains one model."""


class RunProgress:
    """Shows how much of the run is done, examples per second, the loss (a moving average) and the time left."""

    def __init__(self, label: str, done: float = 0.0) -> None:
        self._label = label
        self._first = done
        self._started = self._logged = time.monotonic()
        self._examples = 0
        self._loss: float | None = None
        REACHED[label] = Reached(done, None)
        self._bar = _bar() if sys.stderr.isatty() else None
        self._task = self._bar.add_task(label, total=1.0, rate=0.0, loss=0.0) if self._bar else None

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def update(self, done: float, examples: int, loss: float) -> None:
        """Note a step: ``done`` is the share of the run that is over, ``examples`` those of this step."""
        self._examples += examples
        self._loss = loss if self._loss is None else 0.98 * self._loss + 0.02 * loss
        rate = self._examples / max(1e-9, time.monotonic() - self._started)
        REACHED[self._label] = Reached(done, self._remaining(done))
        if self._bar and self._task is not None:
            self._bar.update(self._task, completed=done, rate=rate, loss=self._loss)
        elif time.monotonic() - self._logged >= _LOG_SECONDS or done >= 1.0:
            self._logged = time.monotonic()
            _log.info(
                "%s: %.0f %%, %.0f examples/s, loss %.3f, %s left",
                self._label,
                100 * done,
                rate,
                self._loss,
                _minutes(self._remaining(done)),
            )

    def _remaining(self, done: float) -> float:
        gained = done - self._first
        return (time.monotonic() - self._started) / gained * (1 - done) if gained > 0 else 0.0


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]:.0f} examples/s  loss {task.fields[loss]:.3f}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
