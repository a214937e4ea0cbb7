"""``logwarden detect``: find anomalies in files."""

from __future__ import annotations

import heapq
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import IO, TYPE_CHECKING, Annotated

import typer

from logwarden.cli.common import console
from logwarden.cli.results import SHOWN_OF_ID, STYLES, counted, printable
from logwarden.errors import InvalidInputError

if TYPE_CHECKING:
    from rich.console import Console

    from logwarden.api.record import AnomalyRecord
    from logwarden.detect import Detector
    from logwarden.detect.history import Sink, StoreSink, Summary
    from logwarden.events import Batch
    from logwarden.outcome import Outcome

EXAMPLES = """
logwarden detect /var/log/syslog
logwarden detect '/var/log/remote/**/*.log.gz' --output anomalies.ndjson --summary summary.json
journalctl -o short-iso --since today | logwarden detect -
logwarden detect /var/log/syslog --store ./logwarden.db
logwarden detect --jobs 4 '/archive/**/*.gz' --output anomalies.ndjson
logwarden detect --follow /var/log/syslog
"""

_SHOWN = 20


def command(
    inputs: Annotated[
        list[str], typer.Argument(help="Files (plain or gzip), globs, recordings, or - for standard input.")
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write anomaly records as NDJSON; - for standard output.")
    ] = None,
    summary: Annotated[Path | None, typer.Option(help="Write a JSON summary; - for standard output.")] = None,
    model: Annotated[
        str, typer.Option(help="Model revision: builtin, active, an id of `logwarden models list`, a path or a URI.")
    ] = "builtin",
    threshold: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Score from which a unit is an anomaly; default: the model's."),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(metavar="FILE_OR_URL", help="Keep results in this store too; a rerun goes on where it stopped."),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what is added to the files, across their rotation.")
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            "-j",
            min=1,
            max=256,
            help="Judge each log by itself (files that differ by their rotation are one), in so many processes.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Find anomalies in log files.

    Prints the most important anomalies with their explanation. Records go to --output, one JSON object a line.
    With --follow it prints each one when it is found, until Ctrl-C.
    """
    from logwarden.sources.files import expand

    for option, target in (("--output", output), ("--summary", summary)):
        _check_target(option, target)
    paths = expand(inputs)
    plan = Plan(paths, model, threshold, output, store)
    top = Top()
    result = _detect(plan, top, follow=follow, jobs=jobs)
    if summary is not None:
        with replacing(summary) as file:
            file.write(json.dumps(result.to_json(), indent=2) + "\n")
    if "-" not in (str(output), str(summary)):
        _show(plan, top)
        _print(console(stderr=False), _totals(result, followed=follow))
    if result.problem:
        raise InvalidInputError(result.problem)


@dataclass(frozen=True)
class Plan:
    """What to read, with what, and where results go."""

    paths: list[str]
    model: str
    threshold: float | None
    output: Path | None
    store: str | None

    def detector(self) -> Detector:
        from logwarden.cli.loading import load_model
        from logwarden.detect import Detector
        from logwarden.local.revision import spare_collector

        model = load_model(self.model)
        spare_collector()
        return Detector(model, "detect", threshold=self.threshold)


def _detect(plan: Plan, top: Top, *, follow: bool, jobs: int | None) -> Summary:
    if follow and jobs is not None:
        raise InvalidInputError("--jobs does not go with --follow: files that grow are read by one process")
    if follow:
        return _follow(plan)
    if jobs is None:
        return _read(plan, top)
    from logwarden.cli.detect_jobs import read_in_jobs

    return read_in_jobs(plan, top, jobs)


def _read(plan: Plan, top: Top) -> Summary:
    """Read everything once."""
    from logwarden.detect.history import detect
    from logwarden.sources.files import read_files

    detector = plan.detector()
    with ExitStack() as stack:
        batches: Iterable[Batch] = read_files(plan.paths)
        sinks: list[Sink] = [top]
        if plan.output is not None:
            sinks.append(RecordWriter(stack.enter_context(replacing(plan.output))))
        if plan.store is not None:
            sink = stack.enter_context(open_store(plan.store, "detect", plan.paths, detector))
            sinks.append(sink)
            batches = sink.unread(batches)
        return detect(detector, batches, sinks, stack.enter_context(progress()))


def _follow(plan: Plan) -> Summary:
    """Read what is there and what is added, until a signal."""
    from logwarden.detect.history import collect
    from logwarden.local.following import judged, known_files
    from logwarden.local.signals import stop_on_signals
    from logwarden.sources.follow import follow_files

    with ExitStack() as stack:
        stopping = stack.enter_context(stop_on_signals())
        detector = plan.detector()
        sinks: list[Sink] = []
        if plan.output is not None:
            sinks.append(RecordWriter(stack.enter_context(_appending(plan.output))))
        if str(plan.output) != "-":
            sinks.append(_Printer())
        sink = None
        if plan.store is not None:
            sink = stack.enter_context(open_store(plan.store, "follow", plan.paths, detector))
            sinks.append(sink)
        known = known_files(plan.paths, sink.positions) if sink is not None else {}
        items = follow_files(plan.paths, stopped=stopping.is_set, known=known)
        console().print(f"Following {', '.join(plan.paths)}. Stop with Ctrl-C.", markup=False, soft_wrap=True)
        return collect(detector, judged(items, detector, sink), sinks)


def _check_target(option: str, path: Path | None) -> None:
    """Say before anything is read what could not be written after it."""
    if path is None or str(path) == "-":
        return
    if path.is_dir():
        raise InvalidInputError(f"{option} {path} is a folder: name a file in it")
    if not path.absolute().parent.is_dir():
        raise InvalidInputError(f"{option} {path}: there is no folder {path.parent}")


class Top:
    """The records with the highest scores."""

    def __init__(self, size: int = _SHOWN) -> None:
        self.seen = 0
        """Records that there were."""
        self._size = size
        self._heap: list[tuple[float, str, AnomalyRecord]] = []

    def __call__(self, outcome: Outcome) -> None:
        self.take(outcome.records, seen=len(outcome.records))

    def take(self, records: Iterable[AnomalyRecord], *, seen: int) -> None:
        """Keep of these and the others the highest; they are the highest of ``seen`` records."""
        self.seen += seen
        for record in records:
            heapq.heappush(self._heap, (record.score, record.id, record))
            if len(self._heap) > self._size:
                heapq.heappop(self._heap)

    def in_time_order(self) -> list[AnomalyRecord]:
        """Return them, the oldest first."""
        return sorted((record for _, _, record in self._heap), key=lambda record: record.start)


class _Printer:
    """Shows records on standard output as they come."""

    def __init__(self) -> None:
        self._screen = console(stderr=False)

    def __call__(self, outcome: Outcome) -> None:
        for record in outcome.records:
            _show_record(self._screen, record)


class RecordWriter:
    """Writes records as NDJSON."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def __call__(self, outcome: Outcome) -> None:
        for record in outcome.records:
            self._file.write(record.model_dump_json() + "\n")
        if outcome.records:
            self._file.flush()


@contextmanager
def _appending(path: Path) -> Iterator[IO[str]]:
    """Open a file to add to it; ``-`` is standard output."""
    if str(path) == "-":
        yield sys.stdout
        return
    with path.open("a", encoding="utf-8") as file:
        yield file


@contextmanager
def replacing(path: Path) -> Iterator[IO[str]]:
    """Open a file that appears under its name only when it is complete; ``-`` is standard output.

    A device, a pipe or a link, such as ``/dev/null``, is written to and not replaced.
    """
    if str(path) == "-":
        yield sys.stdout
        return
    if path.is_symlink() or (path.exists() and not path.is_file()):
        with path.open("w", encoding="utf-8") as file:
            yield file
        return
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("w", encoding="utf-8") as file:
            yield file
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def open_store(place: str, purpose: str, inputs: list[str], detector: Detector) -> Iterator[StoreSink]:
    """Open a store at the place that an earlier run for the same purpose has reached in the same files."""
    from hashlib import blake2b

    from logwarden.detect.history import StoreSink
    from logwarden.sources.files import stream_name
    from logwarden.sources.follow import first_line_hash
    from logwarden.store import Store

    if "-" in inputs:
        raise InvalidInputError("--store cannot resume standard input: save it to a file, or use --output")
    # By its first line a new file of the same name is told from the one that was read.
    begun = [f" {first_line_hash(name)}" if purpose == "detect" else "" for name in inputs]
    streams = "\0".join(stream_name(name) + first for name, first in zip(inputs, begun, strict=True))
    digest = blake2b(f"{detector.model.revision}\0{detector.threshold}\0{streams}".encode(), digest_size=6).hexdigest()
    with Store.open(place) as store:
        sink = StoreSink(store, f"{purpose}-{digest}", detector)
        yield sink
        sink.commit()


@contextmanager
def progress() -> Iterator[Callable[[Summary], None]]:
    """Show lines, rate and anomalies so far on a terminal."""
    screen = console()
    if not screen.is_terminal:
        yield lambda _: None
        return
    with screen.status("reading") as status:

        def update(summary: Summary) -> None:
            status.update(
                f"{summary.lines:,} lines ({summary.lines_per_second:,.0f}/s), {summary.anomalies:,} anomalies"
            )

        yield update


def _show_record(screen: Console, record: AnomalyRecord) -> None:
    heading = (
        f"{record.start:%Y-%m-%d %H:%M:%S}  {record.severity.value.upper():8}  {record.source.host}  "
        f"score {record.score:.2f}  id {record.id[:SHOWN_OF_ID]}  "
        f"{record.origin.stream.removeprefix('file:')}:{record.origin.first}"
    )
    screen.print(
        printable(heading),
        style=STYLES[record.severity.value],
        markup=False,
        soft_wrap=True,
    )
    if record.explanation is not None:
        _print(screen, f"  {printable(record.explanation.text)}")


def _show(plan: Plan, top: Top) -> None:
    screen = console(stderr=False)
    shown = top.in_time_order()
    for record in shown:
        _show_record(screen, record)
    if top.seen > len(shown):
        where = f"all are in {plan.output}" if plan.output else "write all with --output FILE"
        _print(screen, f"… the {len(shown)} highest of {top.seen:,} anomalies; {where}")
    if shown and plan.store:
        _print(screen, f"Evidence and raw lines of one: logwarden explain ID --store {quote(plan.store)}")
    elif shown:
        _print(screen, "For evidence and raw lines, add --store FILE, then: logwarden explain ID --store FILE")


def _totals(result: Summary, *, followed: bool) -> str:
    anomalies = counted(result.anomalies, "anomaly", "anomalies")
    if result.anomalies:
        anomalies += f" in {counted(result.cases, 'case', 'cases')}"
    text = (
        f"{counted(result.lines, 'line', 'lines')}, {counted(result.units, 'unit', 'units')}, {anomalies}, "
        f"{result.rejected:,} rejected"
    )
    # A file is followed for as long as somebody likes: that is no speed.
    return text if followed else f"{text}; {result.seconds:.1f} s, {result.lines_per_second:,.0f} lines/s"


def _print(screen: Console, text: str) -> None:
    """Print text as it is: wrapped between words on a terminal, not wrapped for a program that reads it."""
    screen.print(text, markup=False, soft_wrap=not screen.is_terminal)
