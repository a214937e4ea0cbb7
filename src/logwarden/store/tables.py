"""The tables, for every database.

Times are whole microseconds since 1970 in UTC: exact, sorted and divided into intervals the same way by SQLite and
PostgreSQL. An anomaly's full record is kept as JSON in ``body``; the columns beside it are what lists filter and sort
by, and what changes later (case, explanation, feedback). ``recorded`` is when a row was written: retention counts from
there, because logs of last year may be examined today.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.dialects import postgresql, sqlite

# SQLite counts rows by itself only in a column of type INTEGER.
RowNumber = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData()

anomalies = Table(
    "anomalies",
    metadata,
    Column("number", RowNumber, primary_key=True, autoincrement=True),
    Column("id", String, nullable=False, unique=True),
    Column("pipeline", String, nullable=False),
    Column("start", BigInteger, nullable=False),
    Column("end", BigInteger, nullable=False),
    Column("detected", BigInteger, nullable=False),
    Column("recorded", BigInteger, nullable=False),
    Column("host", String, nullable=False),
    Column("app", String),
    Column("severity", String, nullable=False),
    Column("category", String, nullable=False),
    Column("score", Double, nullable=False),
    Column("case_id", String),
    Column("body", Text, nullable=False),
    Column("search", Text, nullable=False),
    Column("explanation", Text),
    Column("explanation_backend", String),
    Column("explanation_faithful", Boolean),
    Column("feedback", String),
    # A record is some kilobytes long: what is on a page, and how many match, is answered from an index alone.
    Index("anomalies_by_start", "start", "id", "host", "severity", "app", "score"),
    Index("anomalies_by_host", "host", "start", "id", "severity", "app", "score"),
    Index("anomalies_by_severity", "severity", "start", "id", "host", "app", "score"),
    Index("anomalies_by_app", "app", "start", "id", "host", "severity", "score"),
    Index("anomalies_by_score", "score", "start", "id", "host", "severity", "app"),
    Index("anomalies_by_case", "case_id"),
    Index("anomalies_by_recorded", "recorded"),
)

cases = Table(
    "cases",
    metadata,
    Column("id", String, primary_key=True),
    Column("pipeline", String, nullable=False),
    Column("start", BigInteger, nullable=False),
    Column("end", BigInteger, nullable=False),
    Column("recorded", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index("cases_by_end", "end", "id"),
    Index("cases_by_recorded", "recorded"),
)

rejected = Table(
    "rejected",
    metadata,
    Column("stream", String, primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("received", BigInteger),
    Column("recorded", BigInteger, nullable=False),
    Column("peer", String),
    Column("reason", String, nullable=False),
    Column("text", Text, nullable=False),
    Index("rejected_by_recorded", "recorded"),
)

activity = Table(
    "activity",
    metadata,
    Column("start", BigInteger, primary_key=True, autoincrement=False, comment="Unix seconds"),
    Column("host", String, primary_key=True),
    Column("lines", BigInteger, nullable=False),
    Column("recorded", BigInteger, nullable=False),
)

rollups = Table(
    "rollups",
    metadata,
    Column("seconds", BigInteger, primary_key=True, autoincrement=False),
    Column("start", BigInteger, primary_key=True, autoincrement=False, comment="Unix seconds"),
    Column("host", String, primary_key=True, comment="Empty: all"),
    Column("kind", String, primary_key=True, comment="A severity, or lines"),
    Column("value", BigInteger, nullable=False),
)

counters = Table(
    "counters",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

positions = Table(
    "positions",
    metadata,
    Column("consumer", String, primary_key=True),
    Column("stream", String, primary_key=True),
    Column("next", BigInteger, nullable=False),
)

consumers = Table(
    "consumers",
    metadata,
    Column("name", String, primary_key=True),
    Column("state", LargeBinary),
)

pipelines = Table(
    "pipelines",
    metadata,
    Column("name", String, primary_key=True),
    Column("updated", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
)


def insert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Return an INSERT that understands ON CONFLICT; both databases spell it the same way."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)
