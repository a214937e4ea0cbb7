"""Statements that read a store."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, literal_column, select

from logwarden.api.record import AnomalyRecord, Case, Severity
from logwarden.outcome import ACTIVITY_SECONDS
from logwarden.store import rollups
from logwarden.store.encoding import from_micros, read_record, to_micros
from logwarden.store.search import contains
from logwarden.store.tables import activity as activity_table
from logwarden.store.tables import anomalies as anomalies_table
from logwarden.store.tables import cases as cases_table
from logwarden.store.tables import consumers, counters, pipelines, positions
from logwarden.store.tables import rejected as rejected_table
from logwarden.store.tables import rollups as rollups_table
from logwarden.store.values import (
    ActivityPoint,
    AnomalyCount,
    AnomalyFilter,
    Checkpoint,
    HostSummary,
    NewHost,
    PipelineStatus,
    RejectedRow,
    Totals,
    together,
)

_RECORD_COLUMNS = [
    anomalies_table.c[name]
    for name in (
        "body",
        "detected",
        "case_id",
        "explanation",
        "explanation_backend",
        "explanation_faithful",
        "feedback",
    )
]
_SEVERITIES = list(Severity)


_TOGETHER_MICROS = 30_000_000
LOOKED_AT_FIRST = 5_000
"""So many of the newest anomalies are searched before all are."""


def anomalies(connection: Connection, matching: AnomalyFilter, limit: int) -> list[AnomalyRecord]:
    """Return matching anomalies, newest first."""
    # What a person looks for is mostly common and new, or rare: looking through the newest first answers the one
    # without sorting all that match, and costs the other little.
    since = _newest(connection, matching)
    if since is not None:
        found = _numbers(connection, replace(matching, start=since), limit, rows=_rows_since(connection, since))
        if len(found) >= limit:
            return _records(connection, found)
    # Sorting numbers only, and reading whole records for those that are listed, keeps a wide search fast.
    return _records(connection, _numbers(connection, matching, limit))


def _newest(connection: Connection, matching: AnomalyFilter) -> datetime | None:
    """Return since when the newest in the wanted time began; None if there are only a few, or no other condition."""
    start = anomalies_table.c.start
    at_any = AnomalyFilter(start=matching.start, end=matching.end)
    if matching == at_any:
        return None
    query = _filtered(select(start), connection, at_any)
    oldest = connection.scalar(
        query.order_by(start.desc(), anomalies_table.c.id.desc()).offset(LOOKED_AT_FIRST).limit(1)
    )
    return None if oldest is None else from_micros(oldest)


def _rows_since(connection: Connection, since: datetime) -> tuple[int, int] | None:
    """Return the least and the greatest row number since a time: rows are mostly written in the order of time.

    Only SQLite looks through its words in the order of these numbers.
    """
    if connection.dialect.name != "sqlite":
        return None
    number = anomalies_table.c.number
    query = select(func.min(number), func.max(number)).where(anomalies_table.c.start >= to_micros(since))
    least, greatest = connection.execute(query).one()
    return None if least is None else (least, greatest)


def _numbers(
    connection: Connection, matching: AnomalyFilter, limit: int, *, rows: tuple[int, int] | None = None
) -> list[int]:
    """Return the row numbers of matching anomalies, newest first; ``rows`` bounds them where that is known."""
    query = _filtered(select(anomalies_table.c.number), connection, matching, rows=rows)
    query = query.order_by(anomalies_table.c.start.desc(), anomalies_table.c.id.desc())
    return list(connection.scalars(query.limit(limit)))


def _records(connection: Connection, numbers: list[int]) -> list[AnomalyRecord]:
    """Return the records with these row numbers, newest first."""
    query = select(*_RECORD_COLUMNS).where(anomalies_table.c.number.in_(numbers))
    query = query.order_by(anomalies_table.c.start.desc(), anomalies_table.c.id.desc())
    return [read_record(row) for row in connection.execute(query)]


def count(connection: Connection, matching: AnomalyFilter, most: int | None) -> int:
    """Return the number of matching anomalies; counting ends at ``most``."""
    since = _newest(connection, matching) if most is not None else None
    if since is not None:
        new = replace(matching, start=since)
        if (found := _count(connection, new, most, rows=_rows_since(connection, since))) == most:
            return found
    return _count(connection, matching, most)


def _count(
    connection: Connection, matching: AnomalyFilter, most: int | None, *, rows: tuple[int, int] | None = None
) -> int:
    query = _filtered(select(literal_column("1")).select_from(anomalies_table), connection, matching, rows=rows)
    return int(connection.scalar(select(func.count()).select_from(query.limit(most).subquery())) or 0)


def _filtered(
    query: Select[Any], connection: Connection, matching: AnomalyFilter, *, rows: tuple[int, int] | None = None
) -> Select[Any]:
    table = anomalies_table.c
    conditions = _within(table.start, matching.start, matching.end)
    if matching.hosts:
        conditions.append(table.host.in_(matching.hosts))
    if matching.apps:
        conditions.append(table.app.in_(matching.apps))
    if matching.severities:
        conditions.append(table.severity.in_([severity.value for severity in matching.severities]))
    if matching.min_score > 0:
        conditions.append(table.score >= matching.min_score)
    if matching.case_id is not None:
        conditions.append(table.case_id == matching.case_id)
    if matching.text.strip():
        conditions.append(contains(connection.dialect, matching.text, rows=rows))
    return query.where(*conditions)


def _within(
    column: ColumnElement[int], start: datetime | None, end: datetime | None, *, unit: int = 1
) -> list[ColumnElement[bool]]:
    """Return the conditions for start <= column < end, where the column counts ``unit`` microseconds."""
    conditions = []
    if start is not None:
        conditions.append(column >= to_micros(start) // unit)
    if end is not None:
        conditions.append(column < -(-to_micros(end) // unit))
    return conditions


def anomaly(connection: Connection, anomaly_id: str) -> AnomalyRecord | None:
    """Return one anomaly."""
    row = connection.execute(select(*_RECORD_COLUMNS).where(anomalies_table.c.id == anomaly_id)).one_or_none()
    return read_record(row) if row is not None else None


def anomaly_ids(connection: Connection, prefix: str, limit: int) -> list[str]:
    """Return ids that begin with ``prefix``."""
    column = anomalies_table.c.id
    query = select(column).where(column.startswith(prefix, autoescape=True)).order_by(column).limit(limit)
    return list(connection.scalars(query))


def cases(connection: Connection, start: datetime | None, end: datetime | None, limit: int) -> list[Case]:
    """Return cases that overlap [start, end), the one that ended last first."""
    table = cases_table.c
    query = select(table.body).where(*_within(table.end, start, None), *_within(table.start, None, end))
    query = query.order_by(table.end.desc(), table.id.desc()).limit(limit)
    return [Case.model_validate_json(body) for body in connection.scalars(query)]


def case(connection: Connection, case_id: str) -> Case | None:
    """Return one case."""
    body = connection.scalar(select(cases_table.c.body).where(cases_table.c.id == case_id))
    return Case.model_validate_json(body) if body is not None else None


def activity(
    connection: Connection, start: datetime | None, end: datetime | None, bucket_seconds: int
) -> list[ActivityPoint]:
    """Return lines per interval, oldest first."""
    table = activity_table.c
    seconds = max(1, -(-bucket_seconds // ACTIVITY_SECONDS)) * ACTIVITY_SECONDS
    bucket = (table.start // seconds * seconds).label("bucket")
    found: Counter[int] = Counter()
    whole, rest = _cut_into(start, end, seconds)
    for first, last in rest:
        query = select(bucket, func.sum(table.lines).label("lines")).group_by(bucket)
        for row in connection.execute(query.where(*_within(table.start, first, last, unit=1_000_000))):
            found[row.bucket] += int(row.lines)
    if whole is not None:
        by = rollups_table.c.start // seconds * seconds
        for at, _, lines in rollups.sums(connection, rollups.FIVE_MINUTES, whole, by, rollups.LINES):
            found[at] += lines
    return [ActivityPoint(datetime.fromtimestamp(at, UTC), found[at]) for at in sorted(found)]


def _cut_into(start: datetime | None, end: datetime | None, seconds: int) -> rollups.Pieces:
    """Cut a time of which there shall be sums over so many seconds."""
    if seconds % rollups.FIVE_MINUTES:
        return rollups.Pieces(None, [(start, end)])
    return rollups.cut(start, end, rollups.FIVE_MINUTES)


def anomaly_counts(
    connection: Connection, start: datetime | None, end: datetime | None, bucket_seconds: int
) -> list[AnomalyCount]:
    """Return anomalies per interval and severity, oldest first."""
    table = anomalies_table.c
    seconds = max(1, bucket_seconds)
    bucket = (table.start // (seconds * 1_000_000) * seconds).label("bucket")
    found: Counter[tuple[int, str]] = Counter()
    whole, rest = _cut_into(start, end, seconds)
    for first, last in rest:
        query = select(bucket, table.severity, func.count().label("anomalies")).group_by(bucket, table.severity)
        for row in connection.execute(query.where(*_within(table.start, first, last))):
            found[row.bucket, row.severity] += row.anomalies
    if whole is not None:
        by = rollups_table.c.start // seconds * seconds
        for at, severity, anomalies in rollups.sums(connection, rollups.FIVE_MINUTES, whole, by, *_SEVERITIES):
            found[at, severity] += anomalies
    return [
        AnomalyCount(datetime.fromtimestamp(at, UTC), Severity(severity), found[at, severity])
        for at, severity in sorted(found)
    ]


def top_hosts(connection: Connection, start: datetime | None, end: datetime | None, limit: int) -> list[HostSummary]:
    """Return the hosts with most anomalies, then those with most lines."""
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    whole, rest = rollups.cut(start, end, rollups.SIX_HOURS)
    for first, last in rest:
        for host, kind, value in _by_host(connection, first, last):
            found[host][kind] += value
    if whole is not None:
        kinds = (rollups.LINES, *_SEVERITIES)
        for host, kind, value in rollups.sums(connection, rollups.SIX_HOURS, whole, rollups_table.c.host, *kinds):
            found[host][kind] += value
    summaries = [_summary(host, counts) for host, counts in found.items()]
    return sorted(summaries, key=lambda item: (-item.anomalies, -item.lines, item.host))[:limit]


def _by_host(connection: Connection, start: datetime | None, end: datetime | None) -> Iterator[tuple[str, str, int]]:
    """Yield (host, kind, sum) as :func:`rollups.sums` does, of any time."""
    lines = select(activity_table.c.host, func.sum(activity_table.c.lines).label("value"))
    lines = lines.where(*_within(activity_table.c.start, start, end, unit=1_000_000))
    for row in connection.execute(lines.group_by(activity_table.c.host)):
        yield row.host, rollups.LINES, int(row.value)
    table = anomalies_table.c
    counts = select(table.host, table.severity, func.count().label("value")).where(*_within(table.start, start, end))
    for row in connection.execute(counts.group_by(table.host, table.severity)):
        yield row.host, row.severity, row.value


def _summary(host: str, counts: Counter[str]) -> HostSummary:
    severities = [severity for severity in _SEVERITIES if counts[severity]]
    anomalies = sum(counts[severity] for severity in severities)
    return HostSummary(host, anomalies, counts[rollups.LINES], severities[-1] if severities else None)


def newest_hosts(connection: Connection, limit: int) -> list[NewHost]:
    """Return the hosts whose first line was stored last, among those that began within the newest twelve hours."""
    by_host = rollups_table.c
    lines_of_hosts = (by_host.seconds == rollups.SIX_HOURS, by_host.kind == rollups.LINES)
    newest = connection.scalar(select(func.max(by_host.start)).where(*lines_of_hosts))
    if newest is None:
        return []
    since = newest - rollups.SIX_HOURS
    before = select(by_host.host).where(*lines_of_hosts, by_host.start < since)
    table = activity_table.c
    first = func.min(table.recorded).label("first")
    query = select(table.host, func.sum(table.lines).label("lines"), first, func.max(table.recorded).label("last"))
    query = query.where(table.start >= since, table.host.not_in(before)).group_by(table.host)
    query = query.order_by(first.desc(), table.host).limit(limit)
    return [
        NewHost(row.host, int(row.lines), from_micros(row.first), from_micros(row.last))
        for row in connection.execute(query)
    ]


def distinct(connection: Connection, name: str) -> list[str]:
    """Return the values of a column of table ``anomalies``, sorted."""
    column = anomalies_table.c[name]
    # Jumps in the index from one value to the next: there are few values and many rows, and PostgreSQL would read all.
    least = select(func.min(column).label("value")).cte("found", recursive=True)
    following = select(func.min(column)).where(column > least.c.value).scalar_subquery()
    found = least.union_all(select(following).where(least.c.value.is_not(None)))
    return list(connection.scalars(select(found.c.value).where(found.c.value.is_not(None)).order_by(found.c.value)))


def rejected(connection: Connection, limit: int) -> list[RejectedRow]:
    """Return rejected lines, the last recorded first."""
    table = rejected_table.c
    query = select(rejected_table).order_by(table.recorded.desc(), table.stream, table.position.desc()).limit(limit)
    return [
        RejectedRow(
            row.stream,
            row.position,
            from_micros(row.received) if row.received is not None else None,
            row.peer,
            row.reason,
            row.text,
        )
        for row in connection.execute(query)
    ]


def totals(connection: Connection) -> Totals:
    """Return what the store holds."""
    counted = _counters(connection)
    first, last = _bounds(connection)
    sizes = [connection.scalar(select(func.count()).select_from(table)) for table in (cases_table, rejected_table)]
    grouped, refused = (int(size or 0) for size in sizes)
    sums = rollups.sums(connection, rollups.FIVE_MINUTES, (None, None), rollups_table.c.kind, *_SEVERITIES)
    found = sum(value for _, _, value in sums)
    return Totals(counted.get("lines", 0), counted.get("units", 0), found, grouped, refused, first, last)


def _bounds(connection: Connection) -> tuple[datetime | None, datetime | None]:
    firsts, lasts = [], []
    if (lines := _extremes(connection, activity_table.c.start)) is not None:
        firsts.append(datetime.fromtimestamp(lines[0], UTC))
        lasts.append(datetime.fromtimestamp(lines[1] + ACTIVITY_SECONDS, UTC))
    if (found := _extremes(connection, anomalies_table.c.start)) is not None:
        firsts.append(from_micros(found[0]))
        lasts.append(from_micros(found[1]))
    return min(firsts, default=None), max(lasts, default=None)


def _extremes(connection: Connection, column: ColumnElement[int]) -> tuple[int, int] | None:
    """Return the least and the greatest value. SQLite finds each in an index at once, but not both in one query."""
    least = connection.scalar(select(func.min(column)))
    greatest = connection.scalar(select(func.max(column)))
    return None if least is None or greatest is None else (least, greatest)


def counters_of(connection: Connection, prefix: str) -> dict[str, int]:
    """Return the counters whose names begin with ``prefix``."""
    return {name: value for name, value in _counters(connection).items() if name.startswith(prefix)}


def _counters(connection: Connection) -> dict[str, int]:
    return {row.name: row.value for row in connection.execute(select(counters))}


def change_token(connection: Connection) -> int:
    """Return the number of changes so far."""
    return _counters(connection).get("changes", 0)


def checkpoint(connection: Connection, consumer: str) -> Checkpoint:
    """Return how far a consumer has come."""
    query = select(positions.c.stream, positions.c.next).where(positions.c.consumer == consumer)
    # The positions first: should another process commit in between, they are the ones that have moved on, and a commit
    # that expects these is refused.
    found = {row.stream: row.next for row in connection.execute(query)}
    state = connection.scalar(select(consumers.c.state).where(consumers.c.name == consumer))
    return Checkpoint(found, state)


def status(connection: Connection) -> PipelineStatus | None:
    """Return what the pipeline that reported last says: all its processes that did so at about the same time."""
    rows = connection.execute(select(pipelines.c.updated, pipelines.c.status).order_by(pipelines.c.updated.desc()))
    found = [(row.updated, PipelineStatus.model_validate_json(row.status)) for row in rows]
    if not found:
        return None
    newest, name = found[0][0], found[0][1].pipeline
    return together([one for at, one in found if one.pipeline == name and newest - at <= _TOGETHER_MICROS])
