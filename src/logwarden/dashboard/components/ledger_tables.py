"""The ledger as two tables, and one sentence that says whether lines were lost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

import streamlit as st

from logwarden.dashboard.ledger import Ledger

_SOURCES = ("Source", "Received", "Malformed", "Dropped")
_STREAMS = ("Stream", "Kafka's end", "Scored", "Rejected", "Lost", "Waiting")


def ledger_tables(found: Ledger) -> None:
    """Draw sources, streams and the sum of what was lost."""
    if found.lost:
        st.warning(f"{found.lost:,} lines were lost; the tables say where.", icon=":material/warning:")
    else:
        st.markdown(":gray[No line is known to be lost.]")
    sources, streams = st.columns([2, 3], gap="large")
    with sources:
        _table(_SOURCES, found.sources)
    with streams:
        _table(_STREAMS, found.streams)


def _table(head: Sequence[str], rows: Iterable[Sequence[str | int | None]]) -> None:
    first, *others = head
    titles = f"<th scope='col'>{first}</th>" + "".join(f"<th scope='col' class='number'>{name}</th>" for name in others)
    body = "".join(_row(row) for row in rows)
    st.html(f"<table class='hosts ledger'><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>")


def _row(row: Sequence[str | int | None]) -> str:
    name, *numbers = row
    cells = "".join(f"<td class='number'>{'–' if value is None else f'{value:,}'}</td>" for value in numbers)
    return f"<tr><td>{escape(str(name))}</td>{cells}</tr>"
