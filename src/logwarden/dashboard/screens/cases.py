"""All cases: anomalies that belong together, the latest first."""

from __future__ import annotations

import streamlit as st

from logwarden.dashboard.components.case_list import case_list
from logwarden.dashboard.session import cached, errors_in_words, open_store, store_location

REFRESH_SECONDS = 1.0
PAGE_SIZE = 50


def _show_more() -> None:
    st.session_state["cases shown"] = _limit() + PAGE_SIZE


def _limit() -> int:
    limit: int = st.session_state.get("cases shown", PAGE_SIZE)
    return limit


@st.fragment(run_every=REFRESH_SECONDS)
def _draw() -> None:
    with errors_in_words():
        store = open_store(store_location())
        limit = _limit()
        cases = cached("cases", (store.change_token(), limit), lambda: store.cases(limit=limit + 1))
        if not cases:
            st.info("No cases so far. A case opens with the first anomaly and gathers what belongs to it.")
        case_list(cases[:limit])
        if len(cases) > limit:
            st.button("Show older", on_click=_show_more)


st.title("Cases")
st.markdown("Anomalies on the same hosts, close in time and alike, make one case. Choose one to see its anomalies.")
_draw()
