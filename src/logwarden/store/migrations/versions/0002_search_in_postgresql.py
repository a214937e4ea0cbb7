"""Full-text search in PostgreSQL; SQLite has had its own from the beginning."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

# Words are runs of letters and digits, as in SQLite's index. Each gets an x in front: PostgreSQL would otherwise take
# 1e10 apart as a number. What is beyond 150,000 characters of a record is not found: a tsvector holds at most 1 MB.
_FULL_TEXT = (
    r"""
    ALTER TABLE anomalies ADD COLUMN words tsvector GENERATED ALWAYS AS (
        to_tsvector('simple', regexp_replace(
            'x' || coalesce(left(explanation, 50000), '') || ' ' || left(search, 100000),
            '[\x01-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]+', ' x', 'g'
        ))
    ) STORED
    """,
    "CREATE INDEX anomalies_by_words ON anomalies USING gin (words)",
    # Whatever the language of the database, beginnings of ids are found with this one.
    "CREATE INDEX anomalies_by_beginning ON anomalies (id text_pattern_ops)",
)


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for statement in _FULL_TEXT:
            op.execute(statement)
