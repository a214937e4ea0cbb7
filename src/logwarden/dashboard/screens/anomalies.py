"""The live list of anomalies, its filters, and the details of the selected one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import streamlit as st

from logwarden.api.record import Severity, Verdict
from logwarden.dashboard import views
from logwarden.dashboard.components.browser import browser
from logwarden.dashboard.session import cached, errors_in_words, open_store, store_location
from logwarden.store import AnomalyFilter, Store

REFRESH_SECONDS = 1.0
PAGE_SIZE = 100
MOST_ROWS = 1000
CASE_ROWS = 8
RANGES = {
    "All time": None,
    "Last 15 min": timedelta(minutes=15),
    "Last hour": timedelta(hours=1),
    "Last day": timedelta(days=1),
    "Last week": timedelta(days=7),
}


@dataclass(frozen=True)
class Choices:
    """What the person chose in the filters."""

    text: str
    severities: tuple[Severity, ...]
    span: timedelta | None
    hosts: tuple[str, ...]
    apps: tuple[str, ...]
    min_score: float

    def to_filter(self, store: Store, case_id: str | None) -> AnomalyFilter:
        """Return the query. A time range ends where the store ends: logs may be older than today."""
        last = store.totals().last if self.span is not None else None
        return AnomalyFilter(
            start=last - self.span if last is not None and self.span is not None else None,
            hosts=self.hosts,
            apps=self.apps,
            severities=self.severities,
            min_score=self.min_score,
            text=self.text,
            case_id=case_id,
        )


def _draw_filters(store: Store) -> Choices:
    """Draw the filters; they are part of the page's address, so that a view can be sent to a colleague."""
    with st.container(horizontal=True, vertical_alignment="center"):
        text = st.text_input(
            "Search",
            key="search",
            label_visibility="collapsed",
            placeholder="Search lines, hosts and explanations",
            icon=":material/search:",
            live=True,
            bind="query-params",
            width=340,
        )
        severities = st.pills(
            "Severity",
            [severity.value for severity in reversed(Severity)],
            selection_mode="multi",
            key="severity",
            label_visibility="collapsed",
            bind="query-params",
        )
        span = st.selectbox(
            "Time", list(RANGES), key="time", label_visibility="collapsed", bind="query-params", width=140
        )
        with st.popover("More filters", icon=":material/filter_list:"):
            hosts = st.multiselect("Host", store.hosts(), key="host", bind="query-params")
            apps = st.multiselect("Application", store.apps(), key="app", bind="query-params")
            score = st.slider("Score at least", 0.0, 1.0, 0.0, 0.05, key="score", bind="query-params")
    return Choices(
        text=text or "",
        severities=tuple(Severity(name) for name in severities),
        span=RANGES[span],
        hosts=tuple(hosts),
        apps=tuple(apps),
        min_score=score,
    )


@st.fragment(run_every=REFRESH_SECONDS)
def _draw_browser(choices: Choices) -> None:
    with errors_in_words():
        store = open_store(store_location())
        case_id = st.query_params.get("case") or None
        lead = _lead(store, case_id) if case_id else ""
        selected = st.query_params.get("anomaly", lead)
        limit: int = st.session_state.get("rows", PAGE_SIZE)
        version = (store.change_token(), choices, selected, case_id, limit)
        data = cached("browser", version, lambda: _browser_data(store, choices, selected, case_id, limit))
        browser(data | {"lead": lead}, key="browser", on_event=_handle)


def _lead(store: Store, case_id: str) -> str:
    """Return the anomaly that a case is shown by: that of the highest score when it was opened.

    Should the case grow meanwhile, what a person reads stays.
    """
    kept = f"lead {case_id}"
    if kept not in st.session_state:
        records = store.anomalies(AnomalyFilter(case_id=case_id), limit=MOST_ROWS)
        if not records:
            return ""
        st.session_state[kept] = max(records, key=lambda record: record.score).id
    lead: str = st.session_state[kept]
    return lead


def _browser_data(store: Store, choices: Choices, selected: str, case_id: str | None, limit: int) -> dict[str, Any]:
    matching = choices.to_filter(store, case_id)
    records = store.anomalies(matching, limit=limit)
    total = store.count(matching, most=MOST_ROWS + 1)
    case = store.case(case_id) if case_id else None
    detail = _detail(store, selected) if selected else None
    return {
        "rows": [views.row(record) for record in records],
        "total": min(total, MOST_ROWS),
        "uncounted": total > MOST_ROWS,
        "more": len(records) < min(total, MOST_ROWS),
        "view": repr((choices, case_id)),
        "case": case.title if case else case_id,
        "selected": detail,
        "missing": selected if selected and detail is None else None,
        "empty": _empty(store, choices, case_id),
    }


def _detail(store: Store, anomaly_id: str) -> dict[str, Any] | None:
    record = store.anomaly(anomaly_id)
    if record is None:
        return None
    case = store.case(record.case_id) if record.case_id else None
    related = store.anomalies(AnomalyFilter(case_id=record.case_id), limit=CASE_ROWS + 1) if case else []
    others = [item for item in related if item.id != record.id][:CASE_ROWS]
    return views.detail(record, case, others)


def _empty(store: Store, choices: Choices, case_id: str | None) -> dict[str, str]:
    """Return what to say, and what to do, when the list is empty."""
    if case_id or choices != Choices("", (), None, (), (), 0.0):
        return {"title": "Nothing matches these filters", "text": "Remove a word, or choose a longer time."}
    if store.totals().lines:
        return {
            "title": "No anomalies so far",
            "text": "Lines arrive and look normal. An anomaly appears here within two seconds of its detection.",
        }
    return {
        "title": "No lines so far",
        "text": "Nothing has been received. The overview shows the commands that send a line.",
    }


def _handle(event: dict[str, Any]) -> None:
    """Do what a person asked for in the list or the details."""
    match event["kind"]:
        case "select":
            # In a case, no selection has to be said: without one, the case's lead is shown.
            _set_query("anomaly", event["id"], keep="case" in st.query_params)
        case "case":
            _set_query("case", event["id"])
        case "more":
            st.session_state["rows"] = st.session_state.get("rows", PAGE_SIZE) + PAGE_SIZE
        case "feedback":
            verdict = Verdict(event["verdict"]) if event["verdict"] else None
            with errors_in_words():
                open_store(store_location()).set_feedback(event["id"], verdict)


def _set_query(name: str, value: str, *, keep: bool = False) -> None:
    if value or keep:
        st.query_params[name] = value
    else:
        st.query_params.pop(name, None)


with errors_in_words():
    _draw_browser(_draw_filters(open_store(store_location())))
