"""Removing what is too old, without keeping a detector waiting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Table, delete, select, tuple_

from logwarden.store import rollups
from logwarden.store.encoding import to_micros
from logwarden.store.tables import activity, anomalies, cases, rejected
from logwarden.store.values import Pruned
from logwarden.store.writer import Writer
from logwarden.store.writes import count_changes, of_anomaly

_CHUNK = 500


def prune(write: Writer, older_than: datetime) -> Pruned:
    """Remove rows recorded before ``older_than``, some hundred per transaction."""
    limit = to_micros(older_than)
    pruned = Pruned(
        anomalies=_prune_table(write, anomalies, limit, _forget_anomalies),
        cases=_prune_table(write, cases, limit),
        rejected=_prune_table(write, rejected, limit),
        activity=_prune_table(write, activity, limit, _forget_activity),
    )
    write(lambda connection: count_changes(connection, sum(pruned)))
    return pruned


def _forget_anomalies(removed: Sequence[Row[Any]]) -> Counter[rollups.Key]:
    return Counter(key for row in removed for key in of_anomaly(row.start, row.host, row.severity))


def _forget_activity(removed: Sequence[Row[Any]]) -> Counter[rollups.Key]:
    sums: Counter[rollups.Key] = Counter()
    for row in removed:
        for key in rollups.keys(row.start, row.host, rollups.LINES):
            sums[key] += row.lines
    return sums


def _prune_table(
    write: Writer,
    table: Table,
    limit: int,
    summed: Callable[[Sequence[Row[Any]]], Counter[rollups.Key]] = lambda removed: Counter(),
) -> int:
    """Remove old rows of a table, and take what they were in the rollups from these."""
    key = tuple_(*table.primary_key.columns)
    oldest = select(*table.primary_key.columns).where(table.c.recorded < limit).limit(_CHUNK)
    small = [column for column in table.c if column.name in ("start", "host", "severity", "lines", "recorded")]
    removed = 0

    def work(connection: Connection) -> int:
        gone = connection.execute(delete(table).where(key.in_(oldest)).returning(*small)).all()
        less: Counter[rollups.Key] = Counter()
        less.subtract(summed(gone))
        rollups.add(connection, less)
        return len(gone)

    while True:
        count = write(work)
        removed += count
        if count < _CHUNK:
            return removed
