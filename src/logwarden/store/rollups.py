"""Sums of lines and anomalies over five minutes and over six hours: a page that shows a year adds up these.

They change in the transaction that changes what they sum up. What a process of an older version writes after the
migration, as in a rolling upgrade, they lack.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, delete, func, select

from logwarden.store.encoding import to_micros
from logwarden.store.tables import insert, rollups

FIVE_MINUTES: Final = 300
"""Seconds of a rollup over all hosts."""
SIX_HOURS: Final = 21_600
"""Seconds of a rollup by host."""
LINES: Final = "lines"
"""The kind of a rollup that sums up lines; others are severities of anomalies."""


class Key(NamedTuple):
    """What is summed up in one row."""

    seconds: int
    start: int
    host: str
    kind: str


def keys(start: int, host: str, kind: str) -> tuple[Key, Key]:
    """Return the rows that count what a host did at ``start``, Unix seconds."""
    return (
        Key(FIVE_MINUTES, start // FIVE_MINUTES * FIVE_MINUTES, "", kind),
        Key(SIX_HOURS, start // SIX_HOURS * SIX_HOURS, host, kind),
    )


def add(connection: Connection, changes: Counter[Key]) -> None:
    """Add to the rollups; a row that comes down to nothing goes."""
    rows = [{**key._asdict(), "value": changes[key]} for key in sorted(changes) if changes[key]]
    if not rows:
        return
    statement = insert(connection, rollups)
    values = {"value": rollups.c.value + statement.excluded.value}
    connection.execute(statement.on_conflict_do_update(index_elements=Key._fields, set_=values), rows)
    if any(row["value"] < 0 for row in rows):
        connection.execute(delete(rollups).where(rollups.c.value <= 0))


class Pieces(NamedTuple):
    """A time that is cut: ``whole`` intervals, which rollups cover, and what stands over at its ends."""

    whole: tuple[datetime | None, datetime | None] | None
    rest: list[tuple[datetime | None, datetime | None]]


def cut(start: datetime | None, end: datetime | None, seconds: int) -> Pieces:
    """Cut [start, end) at multiples of ``seconds``; None is open."""
    first = None if start is None else _at(-(-to_micros(start) // (seconds * 1_000_000)) * seconds)
    last = None if end is None else _at(to_micros(end) // (seconds * 1_000_000) * seconds)
    if first is not None and last is not None and first >= last:
        return Pieces(None, [(start, end)])
    rest = [(start, first)] if first != start else []
    return Pieces((first, last), [*rest, *([(last, end)] if last != end else [])])


def _at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def sums(
    connection: Connection,
    seconds: int,
    between: tuple[datetime | None, datetime | None],
    by: ColumnElement[Any],
    *kinds: str,
) -> Iterator[tuple[Any, str, int]]:
    """Yield (value of ``by``, kind, sum) over the rollups of ``seconds`` that begin in an interval."""
    group = by.label("by")
    conditions = [rollups.c.seconds == seconds, rollups.c.kind.in_(kinds)]
    start, end = between
    if start is not None:
        conditions.append(rollups.c.start >= int(start.timestamp()))
    if end is not None:
        conditions.append(rollups.c.start < int(end.timestamp()))
    query = select(group, rollups.c.kind, func.sum(rollups.c.value).label("value")).where(*conditions)
    for row in connection.execute(query.group_by(group, rollups.c.kind)):
        yield row.by, row.kind, int(row.value)
