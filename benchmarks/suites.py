"""The benchmarks: each returns named values, measured in processes of their own."""

from __future__ import annotations

import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.budget import STEPS
from benchmarks.process import measure, measure_module
from benchmarks.traffic import write_never_seen, write_repeated
from logwarden.revisions import open_revision

LOGWARDEN = str(Path(sys.executable).with_name("logwarden"))
NEVER_SEEN_LINES = 5_000

Values = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """What to measure with.

    Attributes
    ----------
    recording
        Recording of the lab that the files are made from.
    model
        Revision to detect with: ``builtin`` or a folder.
    lines
        Lines of repeated traffic.
    runs
        How often each program runs.
    seconds
        How long lines are sent at a fixed rate.
    anomalies
        Anomalies in the stores whose pages are timed.
    """

    recording: Path
    model: str
    lines: int
    runs: int
    seconds: int = 60
    anomalies: int = 50_000


def startup(plan: Plan) -> Values:
    """Wall seconds until the command line has printed its help, and until packages are imported."""
    commands = {
        "help_seconds": [LOGWARDEN, "--help"],
        "import_contract_seconds": [sys.executable, "-c", "import logwarden.api"],
        "import_detector_seconds": [sys.executable, "-c", "import logwarden.detect"],
        "bare_python_seconds": [sys.executable, "-c", "pass"],
    }
    runs = 2 * plan.runs + 1
    return {name: _median([measure(command).seconds for _ in range(runs)], 3) for name, command in commands.items()}


def repeated_traffic(plan: Plan) -> Values:
    """From a file of repeated traffic to a store, beside drain3 alone on the same file, by turns."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "repeated.log")
        size = write_repeated(plan.recording, plan.lines, file)
        pairs = [
            (_detect(plan, file, Path(folder, f"{number}.db")), measure_module("benchmarks.drain_alone", str(file)))
            for number in range(plan.runs)
        ]
    found = [detected for detected, _ in pairs]
    alone = [drained for _, drained in pairs]
    speed = _median([detected["lines_per_second"] for detected in found])
    match = _median([drained["match_lines_per_second"] for drained in alone])
    add = _median([drained["add_lines_per_second"] for drained in alone])
    return {
        "file_mb": round(size / 1e6, 1),
        "lines": found[0]["lines"],
        "anomalies": found[0]["anomalies"],
        "rejected": found[0]["rejected"],
        "lines_per_second": speed,
        "drain3_match_lines_per_second": match,
        "drain3_add_lines_per_second": add,
        "ratio_to_drain3_match": round(speed / match, 2),
        "ratio_to_drain3_add": round(speed / add, 2),
        "peak_mb": _median([detected["peak_mb"] for detected in found]),
        "cache_hit_rate": found[0]["cache_hit_rate"],
        "runs": [{"logwarden": detected, "drain3": drained} for detected, drained in pairs],
    }


def archive(plan: Plan) -> Values:
    """From two gzip files of repeated traffic, each a log of its own, in one process and in two."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, name) for name in ("one.log.gz", "two.log.gz")]
        size = write_repeated(plan.recording, plan.lines, files[0])
        shutil.copy(files[0], files[1])
        values: Values = {"unpacked_mb": round(2 * size / 1e6), "lines": 2 * plan.lines}
        for jobs in (1, 2):
            runs = [measure([LOGWARDEN, "detect", "--jobs", str(jobs), *map(str, files)]) for _ in range(plan.runs)]
            rates = [values["lines"] / run.seconds for run in runs]
            values[f"jobs_{jobs}_lines_per_second"] = _median(rates)
            values[f"jobs_{jobs}_largest_process_mb"] = round(max(run.peak_mb for run in runs))
    return values


def budget(plan: Plan) -> Values:
    """Seconds per million lines of repeated traffic by step, in one process."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "repeated.log")
        write_repeated(plan.recording, plan.lines, file)
        found = [
            measure_module("benchmarks.budget", str(file), plan.model, str(Path(folder, f"{number}.db")))
            for number in range(plan.runs)
        ]
    steps = {step: _median([one["seconds_per_million"][step] for one in found], 2) for step in STEPS}
    return {
        "lines": found[0]["lines"],
        **{f"{step}_seconds_per_million": value for step, value in steps.items()},
        "runs": found,
    }


def never_seen(plan: Plan) -> Values:
    """Units of one line each, no two lines alike after masking: nothing can be answered from the cache."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "never-seen.log")
        write_never_seen(plan.recording, NEVER_SEEN_LINES, file)
        found = [_detect(plan, file, Path(folder, f"{number}.db")) for number in range(plan.runs)]
    return {
        "units": found[0]["units"],
        "anomalies": found[0]["anomalies"],
        "units_per_second": _median([detected["units"] / detected["wall_seconds"] for detected in found]),
        "cache_hit_rate": found[0]["cache_hit_rate"],
        "peak_mb": _median([detected["peak_mb"] for detected in found]),
        "runs": found,
    }


def stream(plan: Plan) -> Values:
    """From Kafka to the store, beside a consumer that does nothing, by turns; and latency at a fixed rate."""
    from benchmarks.stream import kafka_to_store

    return kafka_to_store(plan.recording, plan.model, plan.lines, plan.runs, plan.seconds)


def two_detectors(plan: Plan) -> Values:
    """From Kafka to PostgreSQL by one detector, and by two that share the partitions, by turns."""
    from benchmarks.two_detectors import two_detectors as compare

    return compare(plan.recording, plan.model, plan.lines, plan.runs)


def training(plan: Plan) -> Values:
    """What the packaged revision says of its own training; training itself is not repeated."""
    manifest = open_revision(plan.model).manifest
    return {
        "revision": manifest.id,
        "trained": manifest.created.isoformat(),
        **{name: value for name, value in manifest.training.items() if isinstance(value, int | float | str)},
    }


def _detect(plan: Plan, file: Path, store: Path) -> Values:
    """Run ``logwarden detect`` to a new store; rates are of the whole process, start and end included."""
    summary = store.with_suffix(".json")
    options = ["--model", plan.model, "--store", str(store), "--summary", str(summary)]
    run = measure([LOGWARDEN, "detect", str(file), *options])
    values: Values = json.loads(summary.read_text())
    return {
        **{name: values[name] for name in ("lines", "units", "anomalies", "rejected", "cache_hit_rate", "revision")},
        "wall_seconds": round(run.seconds, 2),
        "cpu_seconds": round(run.cpu_seconds, 2),
        "lines_per_second": round(values["lines"] / run.seconds),
        "peak_mb": round(run.peak_mb),
        "store_mb": round(sum(part.stat().st_size for part in store.parent.glob(f"{store.name}*")) / 1e6, 1),
    }


def _median(values: list[float], digits: int = 0) -> float:
    middle = statistics.median(values)
    return round(middle, digits) if digits else round(middle)


def store_pages(plan: Plan) -> Values:
    """Milliseconds until a page's questions are answered."""
    from benchmarks.pages import measure_pages

    return dict(measure_pages(plan.anomalies, plan.runs))


BENCHMARKS: dict[str, Callable[[Plan], Values]] = {
    "startup": startup,
    "repeated-traffic": repeated_traffic,
    "archive": archive,
    "budget": budget,
    "never-seen": never_seen,
    "stream": stream,
    "two-detectors": two_detectors,
    "store-pages": store_pages,
    "training": training,
}
