"""Removing what is too old, without keeping a detector waiting."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime

from sqlalchemy import Connection, Table, delete, select, tuple_

from logwarden.store.encoding import to_micros
from logwarden.store.tables import activity, anomalies, cases, rejected
from logwarden.store.values import Pruned
from logwarden.store.writes import count_changes

_CHUNK = 500

Transaction = Callable[[], AbstractContextManager[Connection]]


def prune(transaction: Transaction, older_than: datetime) -> Pruned:
    """Remove rows recorded before ``older_than``, some hundred per transaction."""
    limit = to_micros(older_than)
    pruned = Pruned(
        anomalies=_prune_table(transaction, anomalies, limit),
        cases=_prune_table(transaction, cases, limit),
        rejected=_prune_table(transaction, rejected, limit),
        activity=_prune_table(transaction, activity, limit),
    )
    with transaction() as connection:
        count_changes(connection, sum(pruned))
    return pruned


def _prune_table(transaction: Transaction, table: Table, limit: int) -> int:
    key = tuple_(*table.primary_key.columns)
    oldest = select(*table.primary_key.columns).where(table.c.recorded < limit).limit(_CHUNK)
    removed = 0
    while True:
        with transaction() as connection:
            count = connection.execute(delete(table).where(key.in_(oldest))).rowcount
        removed += count
        if count < _CHUNK:
            return removed
