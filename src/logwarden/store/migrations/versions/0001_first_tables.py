"""First tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")

# The index follows the two text columns of anomalies. It stores no text of its own ("external content"), so every
# removal must repeat the old text. An update that changes nothing, as a repeated step makes, costs nothing.
_FULL_TEXT = (
    """
    CREATE VIRTUAL TABLE anomaly_text USING fts5(
        search, explanation, content='anomalies', content_rowid='number', tokenize='unicode61'
    )
    """,
    """
    CREATE TRIGGER anomaly_text_insert AFTER INSERT ON anomalies BEGIN
        INSERT INTO anomaly_text(rowid, search, explanation) VALUES (new.number, new.search, new.explanation);
    END
    """,
    """
    CREATE TRIGGER anomaly_text_delete AFTER DELETE ON anomalies BEGIN
        INSERT INTO anomaly_text(anomaly_text, rowid, search, explanation)
        VALUES ('delete', old.number, old.search, old.explanation);
    END
    """,
    """
    CREATE TRIGGER anomaly_text_update AFTER UPDATE OF search, explanation ON anomalies
    WHEN old.search IS NOT new.search OR old.explanation IS NOT new.explanation BEGIN
        INSERT INTO anomaly_text(anomaly_text, rowid, search, explanation)
        VALUES ('delete', old.number, old.search, old.explanation);
        INSERT INTO anomaly_text(rowid, search, explanation) VALUES (new.number, new.search, new.explanation);
    END
    """,
)


def upgrade() -> None:
    _create_results()
    _create_bookkeeping()
    if op.get_bind().dialect.name == "sqlite":
        for statement in _FULL_TEXT:
            op.execute(statement)


def _create_results() -> None:
    op.create_table(
        "anomalies",
        sa.Column("number", _ROW_NUMBER, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String, nullable=False, unique=True),
        sa.Column("pipeline", sa.String, nullable=False),
        sa.Column("start", sa.BigInteger, nullable=False),
        sa.Column("end", sa.BigInteger, nullable=False),
        sa.Column("detected", sa.BigInteger, nullable=False),
        sa.Column("recorded", sa.BigInteger, nullable=False),
        sa.Column("host", sa.String, nullable=False),
        sa.Column("app", sa.String),
        sa.Column("severity", sa.String, nullable=False),
        sa.Column("category", sa.String, nullable=False),
        sa.Column("score", sa.Double, nullable=False),
        sa.Column("case_id", sa.String),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("search", sa.Text, nullable=False),
        sa.Column("explanation", sa.Text),
        sa.Column("explanation_backend", sa.String),
        sa.Column("explanation_faithful", sa.Boolean),
        sa.Column("feedback", sa.String),
    )
    op.create_index("anomalies_by_start", "anomalies", ["start", "id"])
    op.create_index("anomalies_by_case", "anomalies", ["case_id"])
    op.create_index("anomalies_by_host", "anomalies", ["host", "start", "severity"])
    op.create_index("anomalies_by_severity", "anomalies", ["severity", "start"])
    op.create_index("anomalies_by_app", "anomalies", ["app"])
    op.create_index("anomalies_by_recorded", "anomalies", ["recorded"])
    op.create_table(
        "cases",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("pipeline", sa.String, nullable=False),
        sa.Column("start", sa.BigInteger, nullable=False),
        sa.Column("end", sa.BigInteger, nullable=False),
        sa.Column("recorded", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("cases_by_end", "cases", ["end", "id"])
    op.create_index("cases_by_recorded", "cases", ["recorded"])
    op.create_table(
        "rejected",
        sa.Column("stream", sa.String, primary_key=True),
        sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("received", sa.BigInteger),
        sa.Column("recorded", sa.BigInteger, nullable=False),
        sa.Column("peer", sa.String),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_index("rejected_by_recorded", "rejected", ["recorded"])


def _create_bookkeeping() -> None:
    op.create_table(
        "activity",
        sa.Column("start", sa.BigInteger, primary_key=True, autoincrement=False, comment="Unix seconds"),
        sa.Column("host", sa.String, primary_key=True),
        sa.Column("lines", sa.BigInteger, nullable=False),
        sa.Column("recorded", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "counters",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "positions",
        sa.Column("consumer", sa.String, primary_key=True),
        sa.Column("stream", sa.String, primary_key=True),
        sa.Column("next", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "consumers",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("state", sa.LargeBinary),
    )
    op.create_table(
        "pipelines",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("updated", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
    )
