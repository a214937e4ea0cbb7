"""The first page: what is running, how much was seen, what was found and where."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import streamlit as st

from logwarden.dashboard import charts
from logwarden.dashboard.components.case_list import case_list
from logwarden.dashboard.components.chart_title import chart_title
from logwarden.dashboard.components.host_table import host_table
from logwarden.dashboard.components.ledger_tables import ledger_tables
from logwarden.dashboard.components.newest_hosts import newest_hosts
from logwarden.dashboard.facts import duration, literally, ports
from logwarden.dashboard.ledger import ledger
from logwarden.dashboard.session import cached, errors_in_words, open_store, store_location
from logwarden.store import Phase, PipelineStatus, Store

REFRESH_SECONDS = 1.0
NEWEST_HOSTS = 3
SILENT_AFTER = timedelta(seconds=30)
RANGES = {
    "15 min": timedelta(minutes=15),
    "1 hour": timedelta(hours=1),
    "1 day": timedelta(days=1),
    "1 week": timedelta(days=7),
    "All": None,
}


@st.fragment(run_every=REFRESH_SECONDS)
def _draw_status() -> None:
    with errors_in_words():
        status = open_store(store_location()).status()
        if status is None:
            st.info(
                "No pipeline runs on this store. To receive logs: `logwarden up -f examples/quickstart.yaml`. "
                "To look through files: `logwarden detect LOGS --store FILE`.",
                icon=":material/info:",
            )
        elif _is_gone(status):
            _draw_gone(status)
        else:
            _draw_running(status)


def _is_gone(status: PipelineStatus) -> bool:
    return status.phase is Phase.STOPPED or datetime.now(UTC) - status.updated > SILENT_AFTER


def _draw_gone(status: PipelineStatus) -> None:
    ago = duration((datetime.now(UTC) - status.updated).total_seconds())
    reason = f" {status.detail}" if status.detail else ""
    st.warning(
        f"Pipeline **{status.pipeline}** is not running; it was last heard of {ago} ago.{reason} "
        "Nothing new is received. Start it with `logwarden up -f FILE`.",
        icon=":material/power_off:",
    )


def _draw_running(status: PipelineStatus) -> None:
    with st.container(border=True, gap="small"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(_headline(status))
            if status.revision:
                st.markdown(f":gray[Model {status.revision[:24]}]", width="content")
        if status.progress is not None and status.progress.total:
            done, total = status.progress.done, status.progress.total
            st.progress(min(1.0, done / total), text=f"{done:,} of {total:,} lines replayed ({done / total:.0%})")
        if status.note:
            st.markdown(f":gray[{literally(status.note)}]")
        if status.detail:
            st.warning(status.detail, icon=":material/warning:")
        commands = [listener.command for listener in status.listeners if listener.command]
        if commands:
            st.markdown(":gray[Send it a line:]")
            with st.container(key="commands"):
                for command in commands:
                    st.code(command, language=None, wrap_lines=True)


def _headline(status: PipelineStatus) -> str:
    doing = {
        Phase.REPLAYING: ":blue-badge[Replaying]",
        Phase.LISTENING: ":green-badge[Listening]",
    }.get(status.phase, "")
    where = ports(status.listeners)
    several = f" ({status.processes} processes)" if status.processes > 1 else ""
    return f"{doing} **{status.pipeline}**{several}{f' listens on {where}' if where else ''}"


@st.fragment(run_every=REFRESH_SECONDS)
def _draw_numbers(span: timedelta | None) -> None:
    with errors_in_words():
        store = open_store(store_location())
        version = (store.change_token(), span)
        totals = cached("totals", version, store.totals)
        with st.container(key="numbers"):
            st.metric("Lines", f"{totals.lines:,}", border=True)
            st.metric("Anomalies", f"{totals.anomalies:,}", border=True)
            st.metric("Cases", f"{totals.cases:,}", border=True)
            st.metric("Rejected lines", f"{totals.rejected:,}", border=True, help="Lines that could not be read.")
        if totals.first is None or totals.last is None:
            st.info("No lines have been received so far.", icon=":material/hourglass_empty:")
            return
        start = max(totals.first, totals.last - span) if span is not None else totals.first
        if begun := cached("newest hosts", version, lambda: store.newest_hosts(limit=NEWEST_HOSTS)):
            newest_hosts(begun)
        _draw_charts(store, start, totals.last, version)
        newest, hosts = st.columns([3, 2], gap="large")
        with newest:
            _draw_cases(store, start, version)
        with hosts:
            _draw_hosts(store, start, version)
        _draw_ledger(store)


def _draw_charts(store: Store, start: datetime, end: datetime, version: object) -> None:
    step = charts.bucket_seconds(start, end)
    key = (version, step)
    points = cached("activity", key, lambda: store.activity(start, None, bucket_seconds=step))
    counts = cached("counts", key, lambda: store.anomaly_counts(start, None, bucket_seconds=step))
    every = duration(step)
    shown = charts.buckets(start, end, step)
    with st.container(border=True, gap="xxsmall"):
        highest = max((point.lines for point in points), default=0)
        top = charts.top_of([point.lines for point in points])
        cut = f", cut at {top:,}; the highest is {highest:,}" if top < highest else ""
        chart_title("Lines", f"per {every}{cut}", {})
        st.altair_chart(charts.lines_chart(points, shown, top), key="lines", alt=f"Lines per {every}")
        chart_title("Anomalies", f"per {every}", charts.SEVERITY_COLOURS)
        bars = charts.anomalies_chart(counts, shown)
        st.altair_chart(bars, key="bars", alt=f"Anomalies per {every} by severity")


def _draw_cases(store: Store, start: datetime, version: object) -> None:
    st.subheader("Newest cases")
    cases = cached("newest cases", version, lambda: store.cases(start=start, limit=6))
    if not cases:
        st.markdown(":gray[None so far: what arrives looks normal.]")
    case_list(cases)


def _draw_hosts(store: Store, start: datetime, version: object) -> None:
    st.subheader("Hosts")
    hosts = cached("hosts", version, lambda: store.top_hosts(start, limit=8))
    host_table(hosts)


def _draw_ledger(store: Store) -> None:
    # Not cached: how far Kafka goes changes without the store.
    found = ledger(store.counters(""), store.status())
    if found.streams:
        st.subheader("Where every line went")
        ledger_tables(found)


with errors_in_words():
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.title("Overview", width="content")
        chosen = st.segmented_control(
            "Time range",
            list(RANGES),
            default="1 day",
            required=True,
            key="range",
            label_visibility="collapsed",
            bind="query-params",
        )
    _draw_status()
    _draw_numbers(RANGES[chosen])
