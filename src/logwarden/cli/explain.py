"""``logwarden explain``: one anomaly in full."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from logwarden.cli.common import console
from logwarden.cli.results import STYLES, StoreOption, counted, local_time, open_store, printable
from logwarden.errors import InvalidInputError

if TYPE_CHECKING:
    from rich.text import Text

    from logwarden.api.record import AnomalyRecord, Case
    from logwarden.store import Store

EXAMPLES = """
logwarden explain 3f9c2b7a61d0
logwarden explain 3f9c --store ./logwarden.db
"""

_BAR = 30
_CANDIDATES = 5


def command(
    anomaly_id: Annotated[
        str, typer.Argument(metavar="ID", help="Id of an anomaly, or its beginning; `logwarden anomalies` lists them.")
    ],
    store: StoreOption = None,
) -> None:
    """Explain a stored anomaly: what is odd, the evidence, and the raw lines with their origin."""
    with open_store(store) as opened:
        record = _find(opened, anomaly_id)
        case = opened.case(record.case_id) if record.case_id else None
    out = console(stderr=False)
    for line in _render(record, case, out.width):
        out.print(line, soft_wrap=True)


def _find(store: Store, anomaly_id: str) -> AnomalyRecord:
    if record := store.anomaly(anomaly_id):
        return record
    ids = store.anomaly_ids(anomaly_id, limit=_CANDIDATES)
    if len(ids) > 1:
        raise InvalidInputError(f"several anomalies begin with {anomaly_id}: {', '.join(ids)}; give more of the id")
    record = store.anomaly(ids[0]) if ids else None
    if record is None:
        raise InvalidInputError(f"no anomaly {anomaly_id} in {store.url}: `logwarden anomalies` lists what it holds")
    return record


def _render(record: AnomalyRecord, case: Case | None, width: int) -> Iterator[Text | str]:
    """Yield the lines to print."""
    yield from _head(record)
    yield from _explanation(record, min(width, 100))
    yield from _scores(record)
    yield from _evidence(record)
    yield from _lines(record)
    if case is not None:
        yield from _section("Case")
        size = f"{counted(case.anomalies, 'anomaly', 'anomalies')}, {counted(case.suppressed, 'repeat', 'repeats')}"
        yield _plain(f"  {case.title} ({size}), id {case.id}")
    if record.feedback is not None:
        yield from _section("Answer")
        yield f"  {record.feedback.value.replace('_', ' ')}"


def _plain(text: str, style: str = "") -> Text:
    """Return text in which neither markup nor control characters mean anything."""
    from rich.text import Text

    return Text(printable(text), style=style)


def _section(name: str) -> list[Text | str]:
    return ["", _plain(name, "bold")]


def _head(record: AnomalyRecord) -> Iterator[Text]:
    source = record.source
    head = _plain(source.host, "bold")
    head.append(f"  {record.severity.value}", STYLES[record.severity.value])
    about = [source.app, source.address, f"{local_time(record.start)} to {local_time(record.end)}"]
    head.append_text(_plain("  " + "  ".join(item for item in about if item)))
    yield head
    yield _plain(f"Anomaly {record.id}, pipeline {record.pipeline}, model {record.revision}", "dim")


def _explanation(record: AnomalyRecord, width: int) -> Iterator[Text | str]:
    text = record.explanation.text if record.explanation else "The explanation is being written."
    yield ""
    for line in textwrap.wrap(printable(text), width):
        yield _plain(line)


def _scores(record: AnomalyRecord) -> Iterator[Text | str]:
    from logwarden.dashboard.facts import CHANNELS

    yield from _section("Score")
    yield _plain(_bar("Combined", record.score, f"threshold {record.threshold:.2f}"))
    for name, score in record.channels.items():
        yield _plain(_bar(CHANNELS.get(name, name), score))


def _bar(name: str, score: float, note: str = "") -> str:
    filled = round(score * _BAR)
    return f"  {name:<15}{'█' * filled}{'░' * (_BAR - filled)} {score:.2f}  {note}".rstrip()


def _evidence(record: AnomalyRecord) -> Iterable[Text | str]:
    from logwarden.dashboard.facts import KINDS, readable_facts

    yield from _section("Evidence")
    for item in record.evidence:
        yield _plain(f"  {KINDS[item.kind]} ({item.channel} {item.score:.2f})")
        for name, value in readable_facts(item):
            yield _plain(f"    {name}: {value}")


def _lines(record: AnomalyRecord) -> Iterator[Text | str]:
    from logwarden.dashboard.facts import line_origin, stream_name

    yield from _section("Raw lines")
    origin = record.origin
    received = f", first received {local_time(origin.received)}" if origin.received else ""
    listener = f", by listener {origin.listener}" if origin.listener else ""
    yield _plain(f"  From {stream_name(origin)}, {origin.first} to {origin.last}{listener}{received}", "dim")
    for line in record.lines:
        mark = ">" if line.odd else " "
        yield _plain(f"{mark} {line_origin(origin, line)}  {line.text}", "yellow" if line.odd else "")
    if hidden := record.line_count - len(record.lines):
        yield f"  {hidden} further lines of this unit are not kept."
