"""Where the time of a line goes: one run from a file to a store, with a stopwatch at every step."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from logwarden.detect import Detector
from logwarden.detect.history import StoreSink, detect
from logwarden.detect.model import DetectionModel
from logwarden.events import Batch
from logwarden.parse import LineParser
from logwarden.revisions import open_revision
from logwarden.sources.files import read_files
from logwarden.store import Store
from logwarden.units import intake as intake_module

STEPS = ("read", "parse", "mask", "units", "model", "score", "records", "store", "everything_else")
"""In the order in which a line passes them."""

_now = time.perf_counter


class Stopwatch:
    """Adds up seconds by step. What the stopwatch itself takes is measured first and left out."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._calls: dict[str, int] = {}
        self._inside, self._around = self._measure_itself()

    def on(self, owner: Any, name: str, step: str) -> None:
        """Time all calls of a function or method from now on."""
        setattr(owner, name, self.timed(getattr(owner, name), step))

    def timed(self, call: Callable[..., Any], step: str) -> Callable[..., Any]:
        """Return a function that is timed."""
        seconds, calls = self._seconds, self._calls
        seconds.setdefault(step, 0.0)
        calls.setdefault(step, 0)

        def stopped(*arguments: Any, **options: Any) -> Any:
            started = _now()
            result = call(*arguments, **options)
            seconds[step] += _now() - started
            calls[step] += 1
            return result

        return stopped

    def iterate(self, batches: Iterator[Batch], step: str) -> Iterator[Batch]:
        """Yield batches; the time to get each counts."""
        following = self.timed(lambda: next(batches, None), step)
        while (batch := following()) is not None:
            yield batch

    def take(self, step: str, *within: str) -> float:
        """Return the seconds of a step, without those of the steps within it."""
        own = self._seconds[step] - self._calls[step] * self._inside
        inner = sum(self._seconds[name] + self._calls[name] * self._around for name in within)
        return max(0.0, own - inner)

    def _measure_itself(self, rounds: int = 200_000) -> tuple[float, float]:
        """Seconds that a timed call takes between its two looks at the clock, and before and after them."""
        nothing = self.timed(lambda: None, "")
        started = _now()
        for _ in range(rounds):
            nothing()
        whole, inside = (_now() - started) / rounds, self._seconds.pop("") / rounds
        del self._calls[""]
        return inside, whole - inside


def main(path: str, model: str, store_path: str) -> None:
    """Print seconds per million lines by step."""
    watch = Stopwatch()
    started = _now()
    detector = Detector(DetectionModel.load(open_revision(model)), "budget")
    loading = _now() - started
    with Store.open(store_path) as store:
        _watch(watch, detector, store)
        sink = StoreSink(store, "budget", detector)
        batches = sink.unread(watch.iterate(read_files([path]), "read"))
        started = _now()
        summary = detect(detector, batches, [sink])
        sink.commit()
        total = _now() - started
    steps = _steps(watch)
    steps["everything_else"] = max(0.0, total - sum(steps.values()))
    budget = {step: round(seconds / summary.lines * 1e6, 2) for step, seconds in steps.items()}
    print(json.dumps({"lines": summary.lines, "loading_seconds": round(loading, 2), "seconds_per_million": budget}))


def _watch(watch: Stopwatch, detector: Detector, store: Store) -> None:
    intake = detector._intake
    detector._records._parser = LineParser()  # records read lines too: that is not part of "parse"
    watch.on(intake.parser, "split", "parse")
    watch.on(intake.parser, "parse", "parse")
    watch.on(intake_module, "line_text", "mask")
    watch.on(detector.model.templates, "id_of", "mask")
    watch.on(intake, "process", "intake")
    watch.on(detector._ensemble, "prepare", "model")
    watch.on(detector._records, "make", "records")
    watch.on(detector._cases, "file", "records")
    watch.on(detector, "_judge", "judge")
    watch.on(store, "commit", "store")
    watch.on(detector, "snapshot", "store")


def _steps(watch: Stopwatch) -> dict[str, float]:
    return {
        "read": watch.take("read"),
        "parse": watch.take("parse"),
        "mask": watch.take("mask"),
        "units": watch.take("intake", "parse", "mask"),
        "model": watch.take("model"),
        "score": watch.take("judge", "model", "records"),
        "records": watch.take("records"),
        "store": watch.take("store"),
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
