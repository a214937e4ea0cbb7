"""Rollups of lines and anomalies, and indexes from which lists of any filter are answered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_INDEXES = {
    "anomalies_by_start": ["start", "id", "host", "severity", "app", "score"],
    "anomalies_by_host": ["host", "start", "id", "severity", "app", "score"],
    "anomalies_by_severity": ["severity", "start", "id", "host", "app", "score"],
    "anomalies_by_app": ["app", "start", "id", "host", "severity", "score"],
}
_BY_SCORE = ["score", "start", "id", "host", "severity", "app"]
# What was stored before: per five minutes, and per six hours and host. Times of anomalies are microseconds.
_FILL = """
    INSERT INTO rollups (seconds, start, host, kind, value)
    SELECT {seconds}, {start} / {seconds} * {seconds}, {host}, {kind}, {value} FROM {table} GROUP BY 1, 2, 3, 4
"""


def upgrade() -> None:
    for name, columns in _INDEXES.items():
        op.drop_index(name, "anomalies")
        op.create_index(name, "anomalies", columns)
    op.create_index("anomalies_by_score", "anomalies", _BY_SCORE)
    op.create_table(
        "rollups",
        sa.Column("seconds", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("start", sa.BigInteger, primary_key=True, autoincrement=False, comment="Unix seconds"),
        sa.Column("host", sa.String, primary_key=True, comment="Empty: all"),
        sa.Column("kind", sa.String, primary_key=True, comment="A severity, or lines"),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
    for seconds, host in ((300, "''"), (21600, "host")):
        lines = {"start": "start", "kind": "'lines'", "value": "sum(lines)", "table": "activity"}
        found = {"start": "(start / 1000000)", "kind": "severity", "value": "count(*)", "table": "anomalies"}
        for values in (lines, found):
            op.execute(_FILL.format(seconds=seconds, host=host, **values))
