"""The store: one object that a detector writes to, and that pages and commands read from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Self

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from logwarden.api.record import AnomalyRecord, Case, Explanation, Verdict
from logwarden.outcome import Outcome
from logwarden.store import engines, queries, retention, writes
from logwarden.store.errors import CheckpointMovedError, StoreError, explain_failure
from logwarden.store.values import (
    ActivityPoint,
    AnomalyCount,
    AnomalyFilter,
    Checkpoint,
    HostSummary,
    NewHost,
    PipelineStatus,
    Pruned,
    RejectedRow,
    Totals,
)
from logwarden.store.writer import PATIENCE_SECONDS, Writer

__all__ = ["CheckpointMovedError", "Store", "StoreError"]


class Store:
    """Results and checkpoints in one database, safe to use from several threads and processes at once.

    Every method is one short transaction. A method raises :class:`StoreError` when the database cannot be used; one
    that writes first waits a minute for a PostgreSQL that is away.
    ``url`` names the database in messages: a password in it is hidden.
    """

    def __init__(self, engine: Engine, url: str) -> None:
        self._engine = engine
        self._reader = engines.for_reading(engine)
        self._write = Writer(engines.for_writing(engine), url)
        self.url = url

    @classmethod
    def open(cls, url_or_path: str | Path, *, read_only: bool = False) -> Self:
        """Open a store, and create it or bring its tables up to date where needed.

        Parameters
        ----------
        url_or_path
            Path of an SQLite file, or an SQLAlchemy URL.
        read_only
            Never create, migrate or change anything.

        Raises
        ------
        StoreError
            The store does not exist (``read_only``), cannot be written, is not a Logwarden store, or was written by a
            newer version.
        InvalidInputError
            What was given is neither a path nor a URL of a database that SQLAlchemy knows.
        """
        engine, url = engines.connect(url_or_path, read_only=read_only)
        return cls(engine, url)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self._reader.connect() as connection:
                yield connection
        except DBAPIError as error:
            raise explain_failure(error, self.url) from error

    # What a detector does

    def commit(
        self,
        outcome: Outcome,
        *,
        consumer: str,
        positions: Mapping[str, int],
        state: bytes | None = None,
        expected: Mapping[str, int] | None = None,
        counts: Mapping[str, int] | None = None,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        """Keep the results of a step and how far the consumer has come, in one transaction.

        Records, cases and rejected lines have deterministic keys, so that a repeated step adds nothing. Line counts
        and activity are increments, which would be counted twice if a step were repeated: they are right because the
        checkpoint is part of the same transaction. After a crash either both are there or neither, and the consumer
        goes on from the checkpoint.

        Parameters
        ----------
        outcome
            Results of the step. A case replaces the one with its id. A record replaces the one with its id, except
            that the time of detection, an analyst's feedback and an explanation by a better backend stay.
        consumer
            Name under which the positions are kept; one process at a time commits under a name.
        positions
            The next position to read of each stream that moved; other streams stay where they were.
        state
            What the consumer needs to go on, as bytes; None keeps what was stored.
        expected
            The positions that this consumer stored last, of a consumer whose work may pass to another process.
        counts
            What to add to the store's counters, by name.
        patience
            So long a PostgreSQL that is away is waited for, seconds.

        Raises
        ------
        CheckpointMovedError
            If another process has moved one of the ``expected`` positions. Nothing is stored then.
        """

        def work(connection: Connection) -> None:
            if expected is not None:
                writes.claim_positions(connection, consumer, expected)
            writes.write_outcome(connection, outcome, counts or {})
            writes.write_checkpoint(connection, consumer, positions, state)

        self._write(work, patience=patience)

    def checkpoint(self, consumer: str) -> Checkpoint:
        """Return how far a consumer has come; an unknown consumer is at the beginning."""
        with self._reading() as connection:
            return queries.checkpoint(connection, consumer)

    def counters(self, prefix: str) -> dict[str, int]:
        """Return the counters whose names begin with ``prefix``, see ``counts`` of :meth:`commit`."""
        with self._reading() as connection:
            return queries.counters_of(connection, prefix)

    def set_explanation(self, anomaly_id: str, explanation: Explanation) -> bool:
        """Replace the explanation of an anomaly; return False when there is no such anomaly."""
        return self._write(lambda connection: writes.set_explanation(connection, anomaly_id, explanation))

    def set_feedback(self, anomaly_id: str, verdict: Verdict | None) -> bool:
        """Keep an analyst's answer, or take it back with None; return False when there is no such anomaly."""
        return self._write(lambda connection: writes.set_feedback(connection, anomaly_id, verdict))

    def set_status(self, status: PipelineStatus) -> None:
        """Publish what a running pipeline is doing; a pipeline calls this at least every 10 seconds."""
        # The next one comes soon: nobody waits for this one.
        self._write(lambda connection: writes.set_status(connection, status), patience=0.0)

    def prune(self, older_than: datetime) -> Pruned:
        """Remove what was stored before ``older_than``, in small transactions; checkpoints and totals of lines stay."""
        return retention.prune(self._write, older_than)

    # What pages and commands ask

    def anomalies(
        self,
        matching: AnomalyFilter | None = None,
        *,
        limit: int = 100,
    ) -> list[AnomalyRecord]:
        """Return anomalies, newest first."""
        with self._reading() as connection:
            return queries.anomalies(connection, matching or AnomalyFilter(), limit)

    def count(self, matching: AnomalyFilter | None = None, *, most: int | None = None) -> int:
        """Return the number of anomalies that match, or ``most`` if there are more: counting millions takes seconds."""
        with self._reading() as connection:
            return queries.count(connection, matching or AnomalyFilter(), most)

    def anomaly(self, anomaly_id: str) -> AnomalyRecord | None:
        """Return one anomaly."""
        with self._reading() as connection:
            return queries.anomaly(connection, anomaly_id)

    def anomaly_ids(self, prefix: str, *, limit: int = 10) -> list[str]:
        """Return ids of anomalies that begin with ``prefix``, sorted."""
        with self._reading() as connection:
            return queries.anomaly_ids(connection, prefix, limit)

    def cases(
        self,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int = 100,
    ) -> list[Case]:
        """Return cases that overlap [start, end), the one that ended last first."""
        with self._reading() as connection:
            return queries.cases(connection, start, end, limit)

    def case(self, case_id: str) -> Case | None:
        """Return one case."""
        with self._reading() as connection:
            return queries.case(connection, case_id)

    def activity(
        self,
        start: datetime | None = None,
        end: datetime | None = None,
        *,
        bucket_seconds: int = 60,
    ) -> list[ActivityPoint]:
        """Return lines per interval in [start, end), oldest first; intervals without lines are left out.

        Intervals start at multiples of ``bucket_seconds``, which is rounded up to a multiple of
        :data:`logwarden.outcome.ACTIVITY_SECONDS`.
        """
        with self._reading() as connection:
            return queries.activity(connection, start, end, bucket_seconds)

    def anomaly_counts(
        self, start: datetime | None = None, end: datetime | None = None, *, bucket_seconds: int = 60
    ) -> list[AnomalyCount]:
        """Return anomalies per interval and severity in [start, end), oldest first."""
        with self._reading() as connection:
            return queries.anomaly_counts(connection, start, end, bucket_seconds)

    def top_hosts(
        self, start: datetime | None = None, end: datetime | None = None, *, limit: int = 10
    ) -> list[HostSummary]:
        """Return the hosts with most anomalies in [start, end), then those with most lines."""
        with self._reading() as connection:
            return queries.top_hosts(connection, start, end, limit)

    def newest_hosts(self, *, limit: int = 10) -> list[NewHost]:
        """Return the hosts whose first line was stored last, among those that began within the newest twelve hours."""
        with self._reading() as connection:
            return queries.newest_hosts(connection, limit)

    def hosts(self) -> list[str]:
        """Return the names of all hosts that have anomalies, sorted."""
        with self._reading() as connection:
            return queries.distinct(connection, "host")

    def apps(self) -> list[str]:
        """Return the names of all programs that have anomalies, sorted."""
        with self._reading() as connection:
            return queries.distinct(connection, "app")

    def rejected(self, *, limit: int = 100) -> list[RejectedRow]:
        """Return rejected lines, the last recorded first."""
        with self._reading() as connection:
            return queries.rejected(connection, limit)

    def totals(self) -> Totals:
        """Return what the store holds."""
        with self._reading() as connection:
            return queries.totals(connection)

    def status(self) -> PipelineStatus | None:
        """Return what the pipeline that reported last says about itself."""
        with self._reading() as connection:
            return queries.status(connection)

    def change_token(self) -> int:
        """Return a number that grows whenever results, explanations or feedback change; costs one row."""
        with self._reading() as connection:
            return queries.change_token(connection)
