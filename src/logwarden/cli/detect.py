"""``logwarden detect``: find anomalies in files."""

from __future__ import annotations

import heapq
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from logwarden.cli.common import console
from logwarden.errors import InvalidInputError

if TYPE_CHECKING:
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
"""

_SHOWN = 20
_STYLES = {"info": "cyan", "warning": "yellow", "critical": "bold red"}


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
        Path | None, typer.Option(help="Keep results in this store too; a rerun goes on where it stopped.")
    ] = None,
) -> None:
    """Find anomalies in log files.

    Prints the most important anomalies with their explanation. Records go to --output, one JSON object a line.
    """
    from logwarden.cli.loading import load_model
    from logwarden.detect import Detector
    from logwarden.detect.history import detect
    from logwarden.sources.files import expand, read_files

    paths = expand(inputs)
    detector = Detector(load_model(model), "detect", threshold=threshold)
    top = _Top(_SHOWN)
    with ExitStack() as stack:
        batches: Iterable[Batch] = read_files(paths)
        sinks: list[Sink] = [top]
        if output is not None:
            sinks.append(_RecordWriter(stack.enter_context(_replacing(output))))
        if store is not None:
            sink = stack.enter_context(_open_store(store, paths, detector))
            sinks.append(sink)
            batches = sink.unread(batches)
        result = detect(detector, batches, sinks, stack.enter_context(_progress(paths)))
    if summary is not None:
        with _replacing(summary) as file:
            file.write(json.dumps(result.to_json(), indent=2) + "\n")
    if "-" not in (str(output), str(summary)):
        _show(top, result, output)


class _Top:
    """The records with the highest scores."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._heap: list[tuple[float, str, AnomalyRecord]] = []

    def __call__(self, outcome: Outcome) -> None:
        for record in outcome.records:
            heapq.heappush(self._heap, (record.score, record.id, record))
            if len(self._heap) > self._size:
                heapq.heappop(self._heap)

    def in_time_order(self) -> list[AnomalyRecord]:
        return sorted((record for _, _, record in self._heap), key=lambda record: record.start)


class _RecordWriter:
    """Writes records as NDJSON."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def __call__(self, outcome: Outcome) -> None:
        for record in outcome.records:
            self._file.write(record.model_dump_json() + "\n")


@contextmanager
def _replacing(path: Path) -> Iterator[IO[str]]:
    """Open a file that appears under its name only when it is complete; ``-`` is standard output."""
    if str(path) == "-":
        yield sys.stdout
        return
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("w", encoding="utf-8") as file:
            yield file
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _open_store(path: Path, inputs: list[str], detector: Detector) -> Iterator[StoreSink]:
    from hashlib import blake2b

    from logwarden.detect.history import StoreSink
    from logwarden.sources.files import stream_name
    from logwarden.store import Store

    if "-" in inputs:
        raise InvalidInputError("--store cannot resume standard input: save it to a file, or use --output")
    streams = "\0".join(stream_name(name) for name in inputs)
    digest = blake2b(f"{detector.model.revision}\0{detector.threshold}\0{streams}".encode(), digest_size=6).hexdigest()
    sink = StoreSink(Store.open(path), f"detect-{digest}", detector)
    yield sink
    sink.commit()


@contextmanager
def _progress(paths: list[str]) -> Iterator[Callable[[Summary], None]]:
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


def _show(top: _Top, result: Summary, output: Path | None) -> None:
    screen = console(stderr=False)
    for record in top.in_time_order():
        screen.print(
            f"{record.start:%Y-%m-%d %H:%M:%S}  {record.severity.value.upper():8}  {record.source.host}  "
            f"score {record.score:.2f}  {record.origin.stream.removeprefix('file:')}:{record.origin.first}",
            style=_STYLES[record.severity.value],
            markup=False,
            soft_wrap=True,
        )
        if record.explanation is not None:
            screen.print(f"  {record.explanation.text}", markup=False)
    if result.anomalies > _SHOWN:
        where = f"all are in {output}" if output else "write all with --output FILE"
        screen.print(f"… the {_SHOWN} highest of {result.anomalies:,} anomalies; {where}", markup=False)
    screen.print(
        f"{result.lines:,} lines, {result.units:,} units, {result.anomalies:,} anomalies in {result.cases:,} cases, "
        f"{result.rejected:,} rejected; {result.seconds:.1f} s, {result.lines_per_second:,.0f} lines/s",
        markup=False,
    )
