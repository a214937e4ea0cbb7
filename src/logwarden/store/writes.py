"""Statements that change a store. The caller owns the transaction.

Rows are written in the order of their keys, table after table, so that two writers never wait for each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Table, case, delete, select, update

from logwarden.api.record import Explanation, Verdict
from logwarden.outcome import Outcome, RejectedLine
from logwarden.store import rollups
from logwarden.store.encoding import case_row, now_micros, record_row, storable, to_micros
from logwarden.store.errors import CheckpointMovedError
from logwarden.store.tables import (
    activity,
    anomalies,
    cases,
    consumers,
    counters,
    insert,
    pipelines,
    positions,
    rejected,
)
from logwarden.store.values import PipelineStatus

_FORGET_MICROS = 3_600_000_000
_BACKENDS = {"plain": 1, "builtin": 2, "openai": 3}
_EXPLANATION = ("explanation", "explanation_backend", "explanation_faithful")
# Set by the first insertion or by an analyst, and kept when a step is repeated.
_KEPT = ("id", "detected", "recorded", "feedback", *_EXPLANATION)


def write_outcome(connection: Connection, outcome: Outcome, counts: Mapping[str, int]) -> None:
    """Write records, cases, rejected lines, activity and counters, ``counts`` among them."""
    recorded = now_micros()
    sums: Counter[rollups.Key] = Counter()
    if outcome.records:
        sums.update(_upsert_records(connection, [record_row(record, recorded) for record in outcome.records]))
    if outcome.cases:
        # The last form of a case wins; one statement may not touch a row twice in PostgreSQL.
        latest = {item.id: case_row(item, recorded) for item in outcome.cases}
        _replace(connection, cases, [latest[key] for key in sorted(latest)], key=("id",))
    if outcome.rejected:
        _insert_rejected(connection, outcome.rejected, recorded)
    if outcome.activity:
        sums.update(_add_activity(connection, outcome, recorded))
    rollups.add(connection, sums)
    own = {"lines": outcome.lines, "units": outcome.units, "changes": int(_changes(outcome))}
    _count(connection, {**counts, **own})


def _changes(outcome: Outcome) -> bool:
    return bool(outcome.records or outcome.cases or outcome.rejected or outcome.lines or outcome.units)


def of_anomaly(start: int, host: str, severity: str) -> tuple[rollups.Key, rollups.Key]:
    """Return the rollups that count an anomaly, which began at ``start``, in microseconds."""
    return rollups.keys(start // 1_000_000, host, severity)


def _upsert_records(connection: Connection, rows: Iterable[dict[str, Any]]) -> Counter[rollups.Key]:
    """Add records, or bring those up to date that are there; return what that adds to the rollups."""
    by_id = {row["id"]: row for row in sorted(rows, key=itemgetter("id"))}
    # Only the insert itself tells for sure that a record is new: another process may be writing it as well.
    statement = insert(connection, anomalies).on_conflict_do_nothing(index_elements=["id"]).returning(anomalies.c.id)
    there = by_id.keys() - set(connection.execute(statement, list(by_id.values())).scalars())
    changes = Counter(key for row in by_id.values() for key in of_anomaly(row["start"], row["host"], row["severity"]))
    if there:
        known = select(anomalies.c.start, anomalies.c.host, anomalies.c.severity).where(anomalies.c.id.in_(there))
        for row in connection.execute(known.order_by(anomalies.c.id).with_for_update()):
            changes.subtract(of_anomaly(*row))
        _update_records(connection, [row for key, row in by_id.items() if key in there])
    return changes


def _update_records(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    statement = insert(connection, anomalies)
    new = statement.excluded
    values: dict[str, Any] = {
        column.name: new[column.name] for column in anomalies.c if column.name not in (*_KEPT, "number")
    }
    better = _rank(new.explanation_backend) > _rank(anomalies.c.explanation_backend)
    for name in _EXPLANATION:
        values[name] = case((better, new[name]), else_=anomalies.c[name])
    connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values), rows)


def _rank(backend: Any) -> Any:
    return case(_BACKENDS, value=backend, else_=0)


def _replace(connection: Connection, table: Table, rows: Iterable[dict[str, Any]], *, key: tuple[str, ...]) -> None:
    statement = insert(connection, table)
    values = {column.name: statement.excluded[column.name] for column in table.c if column.name not in key}
    connection.execute(statement.on_conflict_do_update(index_elements=key, set_=values), list(rows))


def _insert_rejected(connection: Connection, lines: Iterable[RejectedLine], recorded: int) -> None:
    rows = [
        {
            "stream": storable(line.stream),
            "position": line.position,
            "received": int(line.received * 1_000_000) if line.received is not None else None,
            "recorded": recorded,
            "peer": storable(line.peer) if line.peer is not None else None,
            "reason": storable(line.reason),
            "text": storable(line.text),
        }
        for line in lines
    ]
    connection.execute(insert(connection, rejected).on_conflict_do_nothing(), rows)


def _add_activity(connection: Connection, outcome: Outcome, recorded: int) -> Counter[rollups.Key]:
    """Add lines of hosts; return what they add to the rollups."""
    lines: dict[tuple[int, str], int] = {}
    for item in outcome.activity:
        key = (item.start, item.host)
        lines[key] = lines.get(key, 0) + item.lines
    rows = [
        {"start": start, "host": storable(host), "lines": count, "recorded": recorded}
        for (start, host), count in sorted(lines.items())
    ]
    statement = insert(connection, activity)
    values = {"lines": activity.c.lines + statement.excluded.lines, "recorded": statement.excluded.recorded}
    connection.execute(statement.on_conflict_do_update(index_elements=["start", "host"], set_=values), rows)
    changes: Counter[rollups.Key] = Counter()
    for (start, host), count in lines.items():
        for rollup in rollups.keys(start, storable(host), rollups.LINES):
            changes[rollup] += count
    return changes


def _count(connection: Connection, increments: Mapping[str, int]) -> None:
    rows = [{"name": name, "value": value} for name, value in sorted(increments.items()) if value]
    if not rows:
        return
    statement = insert(connection, counters)
    values = {"value": counters.c.value + statement.excluded.value}
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values), rows)


def claim_positions(connection: Connection, consumer: str, expected: Mapping[str, int]) -> None:
    """Make sure that nobody else has moved the positions, nor does until the transaction ends."""
    for stream, position in expected.items():
        row = {"consumer": consumer, "stream": storable(stream), "next": position}
        connection.execute(insert(connection, positions).on_conflict_do_nothing(), row)
        same = (positions.c[name] == value for name, value in row.items())
        if connection.execute(update(positions).where(*same).values(next=position)).rowcount != 1:
            raise CheckpointMovedError(f"another process has taken over {stream} as {consumer}")


def write_checkpoint(
    connection: Connection, consumer: str, next_positions: Mapping[str, int], state: bytes | None
) -> None:
    """Keep how far a consumer has come; None leaves its state as it was."""
    rows = [
        {"consumer": consumer, "stream": storable(stream), "next": position}
        for stream, position in next_positions.items()
    ]
    if rows:
        _replace(connection, positions, rows, key=("consumer", "stream"))
    if state is not None:
        _replace(connection, consumers, [{"name": consumer, "state": state}], key=("name",))


def set_explanation(connection: Connection, anomaly_id: str, explanation: Explanation) -> bool:
    """Replace an explanation; False when there is no such anomaly."""
    return _change(
        connection,
        anomaly_id,
        explanation=storable(explanation.text),
        explanation_backend=explanation.backend,
        explanation_faithful=explanation.faithful,
    )


def set_feedback(connection: Connection, anomaly_id: str, verdict: Verdict | None) -> bool:
    """Keep an analyst's answer; False when there is no such anomaly."""
    return _change(connection, anomaly_id, feedback=verdict.value if verdict else None)


def _change(connection: Connection, anomaly_id: str, **values: Any) -> bool:
    changed = connection.execute(update(anomalies).where(anomalies.c.id == anomaly_id).values(**values)).rowcount
    count_changes(connection, changed)
    return changed > 0


def count_changes(connection: Connection, changes: int) -> None:
    """Let the change token grow."""
    _count(connection, {"changes": changes})


def set_status(connection: Connection, status: PipelineStatus) -> None:
    """Publish what a process of a pipeline is doing, and forget those of it that ended long ago."""
    name = f"{status.pipeline}/{status.instance}" if status.instance else status.pipeline
    updated = to_micros(status.updated)
    _replace(
        connection, pipelines, [{"name": name, "updated": updated, "status": status.model_dump_json()}], key=("name",)
    )
    others = pipelines.c.name.startswith(f"{status.pipeline}/", autoescape=True)
    connection.execute(delete(pipelines).where(others, pipelines.c.updated < updated - _FORGET_MICROS))
