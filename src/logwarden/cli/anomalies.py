"""``logwarden anomalies``: list what the local store holds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from logwarden.cli.common import console
from logwarden.cli.results import SHOWN_OF_ID, STYLES, StoreOption, counted, local_time, open_store, printable
from logwarden.errors import InvalidInputError

if TYPE_CHECKING:
    from rich.console import Console

    from logwarden.api.record import AnomalyRecord

EXAMPLES = """
logwarden anomalies --limit 10
logwarden anomalies --since 1h --severity critical --host r1
logwarden anomalies --search "hold timer" --format ndjson | jq .explanation.text
"""

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_WIDTH_OF_A_FILE = 200
_WIDTH_OF_A_TABLE = 110


class Format(StrEnum):
    """How anomalies are written."""

    TABLE = "table"
    NDJSON = "ndjson"


class Severity(StrEnum):
    """The severities of an anomaly, named here so that the help shows them without loading the contract."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


def command(
    store: StoreOption = None,
    limit: Annotated[int, typer.Option(min=1, help="List at most this many, the newest.")] = 20,
    output_format: Annotated[
        Format, typer.Option("--format", help="A table, or one JSON object a line.")
    ] = Format.TABLE,
    host: Annotated[list[str] | None, typer.Option(help="Only of this host; repeatable.", show_default=False)] = None,
    since: Annotated[
        str | None,
        typer.Option(
            help="Only what began since: 15m, 1h, 2d, or a time such as 2026-03-01T12:00.", show_default=False
        ),
    ] = None,
    severity: Annotated[
        list[Severity] | None, typer.Option(help="Only of this severity; repeatable.", show_default=False)
    ] = None,
    search: Annotated[
        str, typer.Option(help="Only those with these words in lines, host or explanation.", show_default=False)
    ] = "",
) -> None:
    """List the anomalies that the local store holds, newest first."""
    start = _since(since)
    from logwarden.api.record import Severity as RecordSeverity
    from logwarden.store import AnomalyFilter

    matching = AnomalyFilter(
        start=start,
        hosts=tuple(host or ()),
        severities=tuple(RecordSeverity(item.value) for item in severity or ()),
        text=search,
    )
    with open_store(store) as opened:
        records = opened.anomalies(matching, limit=limit)
        total = opened.count(matching)
    if output_format is Format.NDJSON:
        _write_ndjson(records)
    else:
        _write_for_a_person(records, total)


def _since(text: str | None) -> datetime | None:
    if text is None:
        return None
    if found := re.fullmatch(r"(\d{1,6})([smhdw])", text):
        return datetime.now(UTC) - timedelta(**{_UNITS[found[2]]: int(found[1])})
    try:
        # A time without a zone is meant as the clock on the wall.
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise InvalidInputError(
            f"--since {text}: expected a span such as 15m, 1h or 2d, or a time such as 2026-03-01T12:00"
        ) from None


def _write_ndjson(records: Iterable[AnomalyRecord]) -> None:
    for record in records:
        print(json.dumps(record.to_json()))


def _write_for_a_person(records: list[AnomalyRecord], total: int) -> None:
    if not records:
        console().print("No anomalies match.")
        return
    out = console(stderr=False)
    if not out.is_terminal:
        out.width = _WIDTH_OF_A_FILE
    if out.width < _WIDTH_OF_A_TABLE:
        _write_blocks(out, records)
    else:
        _write_table(out, records)
    console().print(f"{len(records)} of {counted(total, 'anomaly', 'anomalies')}. More about one: logwarden explain ID")


def _write_blocks(out: Console, records: list[AnomalyRecord]) -> None:
    """Write a line of short values and what is odd below it: in columns side by side it would have no room."""
    from textwrap import fill

    from rich.text import Text

    from logwarden.dashboard.facts import summary

    for record in records:
        severity = record.severity.value
        head = Text.assemble(
            f"{local_time(record.start)}  ", (f"{severity:8}", STYLES[severity]), f"  {record.score:.2f}  "
        )
        head.append(f"{record.id[:SHOWN_OF_ID]}  ", "dim").append(printable(record.source.host), "bold")
        out.print(head, soft_wrap=True)
        said = fill(printable(summary(record)), out.width - 1, initial_indent="  ", subsequent_indent="  ")
        out.print(Text(said), soft_wrap=True)


def _write_table(out: Console, records: list[AnomalyRecord]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from logwarden.dashboard.facts import summary

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("Time", "Severity", "Host", "Score", "What is odd", "Id"):
        table.add_column(name, no_wrap=name in ("Time", "Id"), overflow="fold")
    for record in records:
        table.add_row(
            local_time(record.start),
            Text(record.severity.value, style=STYLES[record.severity.value]),
            Text(printable(record.source.host)),
            f"{record.score:.2f}",
            Text(printable(summary(record))),
            record.id[:SHOWN_OF_ID],
        )
    out.print(table)
