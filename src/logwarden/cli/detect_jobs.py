"""``logwarden detect --jobs``: files of several logs, judged in several processes, with one report."""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from logwarden.cli.detect import Plan, RecordWriter, Top, open_store, progress, replacing
from logwarden.cli.loading import load_model
from logwarden.detect import DetectionModel, Detector
from logwarden.detect.history import Sink, Summary, detect
from logwarden.errors import InvalidInputError, LogwardenError
from logwarden.local.revision import spare_collector
from logwarden.sources.files import read_files

if TYPE_CHECKING:
    from collections.abc import Iterable

    from logwarden.api.record import AnomalyRecord
    from logwarden.events import Batch

_ROTATION: Final = re.compile(r"(?:[.-]\d{1,14}(?:-\d{1,6})?)?(?:\.(?:gz|log))?(?:[.-]\d{1,14})?(?:\.gz)?$")

_Result = tuple[Summary, list["AnomalyRecord"]]


def read_in_jobs(plan: Plan, top: Top, jobs: int) -> Summary:
    """Read everything once, each log by itself, in at most so many processes.

    The result does not depend on their number: a log has a detector of its own, and records come in the order of the
    logs. Nothing is kept in memory but the records that are shown.
    """
    logs = logs_of(plan.paths)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="logwarden-detect-")))
        output = stack.enter_context(replacing(plan.output)) if plan.output is not None else None
        update = stack.enter_context(progress())
        pool = ProcessPoolExecutor(min(jobs, len(logs)), mp_context=get_context("spawn"))
        stack.callback(pool.shutdown, cancel_futures=True)
        parts = [folder / str(number) if output is not None else None for number in range(len(logs))]
        plans = [replace(plan, paths=paths, output=part) for paths, part in zip(logs, parts, strict=True)]
        # The largest first, so that none is left over when all others are done.
        order = sorted(range(len(plans)), key=lambda number: -_size(plans[number].paths))
        waiting = {number: pool.submit(_judge, plans[number]) for number in order}
        total, started = Summary(), time.perf_counter()
        for number, part in enumerate(parts):
            summary, best = _result(waiting[number])
            _add(total, summary, time.perf_counter() - started)
            top.take(best, seen=summary.anomalies)
            _append(part, output)
            update(total)
        return total


def logs_of(paths: list[str]) -> list[list[str]]:
    """Return files that are one log, such as ``syslog.1``, ``syslog`` and ``syslog.2.gz``, together, as they came.

    Raises
    ------
    InvalidInputError
        If standard input is among them.
    """
    if "-" in paths:
        raise InvalidInputError("--jobs does not read standard input: save it to a file, or leave out --jobs")
    found: dict[tuple[str, str], list[str]] = {}
    for path in paths:
        file = Path(path).absolute()
        found.setdefault((str(file.parent), _ROTATION.sub("", file.name)), []).append(path)
    return list(found.values())


def _judge(plan: Plan) -> _Result:
    """Judge one log; in a process of its own."""
    top = Top()
    detector = Detector(_model(plan.model), "detect", threshold=plan.threshold)
    with ExitStack() as stack:
        batches: Iterable[Batch] = read_files(plan.paths)
        sinks: list[Sink] = [top]
        if plan.output is not None:
            sinks.append(RecordWriter(stack.enter_context(plan.output.open("w", encoding="utf-8"))))
        if plan.store is not None:
            sink = stack.enter_context(open_store(plan.store, "detect", plan.paths, detector))
            sinks.append(sink)
            batches = sink.unread(batches)
        return detect(detector, batches, sinks), top.in_time_order()


@cache
def _model(name: str) -> DetectionModel:
    model = load_model(name)
    spare_collector()
    return model


def _result(waiting: Future[_Result]) -> _Result:
    try:
        return waiting.result()
    except BrokenProcessPool as error:  # such as one that the system ended for its memory
        raise LogwardenError("a process of --jobs was killed, perhaps for its memory: use fewer") from error


def _add(total: Summary, part: Summary, seconds: float) -> None:
    lines = total.lines + part.lines
    if lines:
        hits = total.cache_hit_rate * total.lines + part.cache_hit_rate * part.lines
        total.cache_hit_rate = round(hits / lines, 5)
    for name in ("lines", "units", "anomalies", "cases", "rejected"):
        setattr(total, name, getattr(total, name) + getattr(part, name))
    total.revision = part.revision
    total.problem = "; ".join(filter(None, (total.problem, part.problem)))
    total.seconds = round(seconds, 3)
    total.lines_per_second = round(total.lines / seconds, 1)


def _append(part: Path | None, output: IO[str] | None) -> None:
    if part is not None and output is not None:
        with part.open(encoding="utf-8") as file:
            shutil.copyfileobj(file, output)
        part.unlink()


def _size(paths: list[str]) -> int:
    return sum(Path(path).stat().st_size for path in paths)
