"""A list of cases, each leading to its anomalies."""

from __future__ import annotations

from collections.abc import Iterable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from logwarden.api.record import Case, Severity
from logwarden.dashboard.facts import duration, literally

_COLOURS = {Severity.CRITICAL: "red", Severity.WARNING: "orange", Severity.INFO: "blue"}


def case_list(cases: Iterable[Case]) -> None:
    """Draw one entry per case: title, severity, size, and when it was."""
    zone = st.context.timezone
    for case in cases:
        with st.container(gap=None, key=f"case {case.id}"):
            label = f"**{literally(case.title)}**"
            st.page_link("screens/anomalies.py", label=label, query_params={"case": case.id})
            st.markdown(_about(case, zone))


def _about(case: Case, zone: str | None) -> str:
    noun = "anomaly" if case.anomalies == 1 else "anomalies"
    length = duration((case.end - case.start).total_seconds())
    badge = f":{_COLOURS[case.severity]}-badge[{case.severity.value}]"
    when = _local(case, zone)
    return f"{badge} :gray[{when}, over {length}, {case.anomalies:,} {noun}, score {case.score:.2f}]"


def _local(case: Case, zone: str | None) -> str:
    try:
        moment = case.start.astimezone(ZoneInfo(zone or "UTC"))
    except (ZoneInfoNotFoundError, ValueError):
        moment = case.start
    return f"{moment:%d %b %H\\:%M\\:%S}"
