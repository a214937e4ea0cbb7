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
_IS_WORD: Final = re.compile(r"[A-Za-z0-9]{1,200}")
_ADDRESS: Final = re.compile(r"[0-9]+(?:\.[0-9]+)+\.?")


def contains(dialect: Dialect, text: str, *, rows: tuple[int, int] | None = None) -> ColumnElement[bool]:
    """Return the condition that every word of ``text`` occurs; whatever a person types is a valid query.

    A word that holds letters or digits matches as a sequence of words whose last one may go on: ``10.0.1`` finds
    ``10.0.12.5``, ``bgp`` finds ``bgpd``. Signs alone are looked for as they stand. ``rows`` are the least and the
    greatest row number that are of interest, where these are known.
    """
    words = storable(text).split()
    indexed = [word for word in words if _has_letters(word)]
    literal = [word for word in words if word not in indexed]
    conditions = [_contains_literally(word) for word in literal]
    if indexed:
        conditions.append(_in_sqlite(indexed, rows) if dialect.name == "sqlite" else _in_postgresql(indexed))
    return and_(*conditions)


def _has_letters(word: str) -> bool:
    return any(character.isalnum() for character in word)


def _in_sqlite(words: list[str], rows: tuple[int, int] | None) -> ColumnElement[bool]:
    # In quotation marks nothing is an operator of the query language of FTS5; a mark itself is doubled. Where a sign
    # follows, the last word is whole: looking for its beginnings too would read all that begin alike.
    query = " ".join('"' + word.replace('"', '""') + '"' + "*" * word[-1].isalnum() for word in words)
    found = select(_INDEX.c.rowid).where(literal_column("anomaly_text").op("MATCH")(query))
    return anomalies.c.number.in_(found if rows is None else found.where(_INDEX.c.rowid.between(*rows)))


def _in_postgresql(words: list[str]) -> ColumnElement[bool]:
    """Find rows by the index, and of these keep where the parts of each word stand together."""
    query = " & ".join(f"'{part}':*" for word in words for part in _indexed_parts(word))
    matches = literal_column("anomalies.words").op("@@")(func.to_tsquery(literal_column("'simple'"), query))
    return and_(matches, *(_contains_literally(word) for word in words if not _IS_WORD.fullmatch(word)))


def _indexed_parts(word: str) -> list[str]:
    """Return what the index holds of a word: addresses in one piece, as their parts are in most records."""
    if _ADDRESS.fullmatch(word):
        return ["y" + word.replace(".", "z")]
    return [f"x{part[:_LONGEST_WORD]}" for part in _SEPARATORS.split(word) if _has_letters(part)]


def _contains_literally(word: str) -> ColumnElement[bool]:
    return or_(
        anomalies.c.search.icontains(word, autoescape=True), anomalies.c.explanation.icontains(word, autoescape=True)
    )
