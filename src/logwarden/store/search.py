"""Full-text search over hosts, programs, lines, templates and explanations."""

from __future__ import annotations

import re
from typing import Final

from sqlalchemy import ColumnElement, Dialect, and_, column, func, literal_column, or_, select, table

from logwarden.store.encoding import storable
from logwarden.store.tables import anomalies

_INDEX = table("anomaly_text", column("rowid"))
_SEPARATORS: Final = re.compile(r"[\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]+")
"""As in the migration that makes the index of PostgreSQL."""
_LONGEST_WORD: Final = 200


def contains(dialect: Dialect, text: str) -> ColumnElement[bool]:
    """Return the condition that every word of ``text`` occurs; whatever a person types is a valid query.

    A word that holds letters or digits matches as a sequence of words whose last one may go on: ``10.0.1`` finds
    ``10.0.12.5``, ``bgp`` finds ``bgpd``. Signs alone are looked for as they stand.
    """
    words = storable(text).split()
    indexed = [word for word in words if _has_letters(word)]
    literal = [word for word in words if word not in indexed]
    conditions = [_contains_literally(word) for word in literal]
    if indexed:
        conditions.append(_in_sqlite(indexed) if dialect.name == "sqlite" else _in_postgresql(indexed))
    return and_(*conditions)


def _has_letters(word: str) -> bool:
    return any(character.isalnum() for character in word)


def _in_sqlite(words: list[str]) -> ColumnElement[bool]:
    # In quotation marks nothing is an operator of the query language of FTS5; a mark itself is doubled.
    query = " ".join('"' + word.replace('"', '""') + '"*' for word in words)
    found = select(_INDEX.c.rowid).where(literal_column("anomaly_text").op("MATCH")(query))
    return anomalies.c.number.in_(found)


def _in_postgresql(words: list[str]) -> ColumnElement[bool]:
    """Find rows by the index, and of these keep where the parts of each word stand together."""
    parts = [part[:_LONGEST_WORD] for word in words for part in _SEPARATORS.split(word) if _has_letters(part)]
    query = " & ".join(f"'x{part}':*" for part in parts)
    matches = literal_column("anomalies.words").op("@@")(func.to_tsquery(literal_column("'simple'"), query))
    return and_(matches, *(_contains_literally(word) for word in words))


def _contains_literally(word: str) -> ColumnElement[bool]:
    return or_(
        anomalies.c.search.icontains(word, autoescape=True), anomalies.c.explanation.icontains(word, autoescape=True)
    )
