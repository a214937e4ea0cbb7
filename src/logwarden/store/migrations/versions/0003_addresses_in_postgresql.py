"""Search in PostgreSQL finds addresses in one piece: their parts alone are in most records."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"

_TEXT = "coalesce(left(explanation, 50000), '') || ' ' || left(search, 100000)"
# As in 0002: runs of letters and digits, each with an x in front.
_WORDS = rf"""to_tsvector('simple', regexp_replace(
    'x' || {_TEXT}, '[\x01-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]+', ' x', 'g'
))"""
# Numbers with dots between them, such as 10.0.7.1, become y10z0z7z1; single numbers and dots in front go.
_ADDRESSES = rf"""to_tsvector('simple', regexp_replace(replace(regexp_replace(regexp_replace(regexp_replace(
    ' ' || {_TEXT}, '[^0-9.]+', ' ', 'g'), ' [.]+', ' ', 'g'), ' [0-9]+(?= |$)', '', 'g'), '.', 'z'), ' +', ' y', 'g'
))"""
_STATEMENTS = (
    "ALTER TABLE anomalies DROP COLUMN words",  # and its index with it
    f"ALTER TABLE anomalies ADD COLUMN words tsvector GENERATED ALWAYS AS ({_WORDS} || {_ADDRESSES}) STORED",
    "CREATE INDEX anomalies_by_words ON anomalies USING gin (words)",
)


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for statement in _STATEMENTS:
            op.execute(statement)
