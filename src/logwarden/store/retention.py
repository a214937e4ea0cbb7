"""Removing what is too old, without keeping a detector waiting."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, Table, delete, select, tuple_

from logwarden.store.encoding import to_micros
from logwarden.store.tables import activity, anomalies, cases, rejected
from logwarden.store.values import Pruned
from logwarden.store.writer import Writer
from logwarden.store.writes import count_changes

_CHUNK = 500


def prune(write: Writer, older_than: datetime) -> Pruned:
    """Remove rows recorded before ``older_than``, some hundred per transaction."""
    limit = to_micros(older_than)
    pruned = Pruned(
        anomalies=_prune_table(write, anomalies, limit),
        cases=_prune_table(write, cases, limit),
        rejected=_prune_table(write, rejected, limit),
        activity=_prune_table(write, activity, limit),
    )
    write(lambda connection: count_changes(connection, sum(pruned)))
    return pruned


def _prune_table(write: Writer, table: Table, limit: int) -> int:
    key = tuple_(*table.primary_key.columns)
    oldest = select(*table.primary_key.columns).where(table.c.recorded < limit).limit(_CHUNK)
    removed = 0

    def work(connection: Connection) -> int:
        return connection.execute(delete(table).where(key.in_(oldest))).rowcount

    while True:
        count = write(work)
        removed += count
        if count < _CHUNK:
            return removed
