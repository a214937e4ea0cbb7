"""The time series of the overview."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

import altair as alt

from logwarden.api.record import Severity
from logwarden.store import ActivityPoint, AnomalyCount

# At least 3:1 against the light and the dark background (WCAG 2.2, 1.4.11).
SEVERITY_COLOURS: Final = {Severity.CRITICAL: "#e5484d", Severity.WARNING: "#c77700", Severity.INFO: "#3b82e0"}
_LINES_COLOUR = "#0d9488"
_STEPS: Final = (10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
_MOST_BUCKETS = 150
# Both charts give their vertical axis the same room, so that times stand above each other.
_AXIS_WIDTH = 46


def bucket_seconds(start: datetime, end: datetime) -> int:
    """Return a round interval that cuts [start, end] into at most 150 pieces."""
    span = (end - start).total_seconds()
    for step in _STEPS:
        if span / step <= _MOST_BUCKETS:
            return step
    days = -(-span // (_MOST_BUCKETS * 86400))
    return int(days) * 86400


def _millis(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _time_axis(start: datetime, end: datetime, *, labels: bool) -> alt.X:
    scale = alt.Scale(type="time", domain=[_millis(start), _millis(end)])
    axis = alt.Axis(title=None, labels=labels, ticks=labels, grid=False, labelOverlap=True, tickCount=7)
    return alt.X("time:T", scale=scale, axis=axis)


def _count_axis(field: str, title: str) -> alt.Y:
    axis = alt.Axis(title=title, tickCount=3, format="~s", minExtent=_AXIS_WIDTH, maxExtent=_AXIS_WIDTH, tickMinStep=1)
    return alt.Y(field, axis=axis)


def lines_chart(points: Iterable[ActivityPoint], start: datetime, end: datetime, step: int) -> alt.Chart:
    """Return lines per interval as an area; intervals without lines are drawn as zero."""
    values = _filled({_millis(point.start): point.lines for point in points}, start, end, step)
    tooltip = [alt.Tooltip("time:T", title="From", format="%d %b %H:%M:%S"), alt.Tooltip("lines:Q", title="Lines")]
    chart: alt.Chart = (
        alt.Chart(alt.InlineData(values), height=120)
        .mark_area(interpolate="step-after", color=_LINES_COLOUR, opacity=0.35, line={"color": _LINES_COLOUR})
        .encode(x=_time_axis(start, end, labels=False), y=_count_axis("lines:Q", "Lines"), tooltip=tooltip)
    )
    return chart


def _filled(lines: dict[int, int], start: datetime, end: datetime, step: int) -> list[dict[str, Any]]:
    millis = step * 1000
    first = _millis(start) // millis * millis
    return [{"time": time, "lines": lines.get(time, 0)} for time in range(first, _millis(end) + 1, millis)]


def anomalies_chart(counts: Sequence[AnomalyCount], start: datetime, end: datetime, step: int) -> alt.Chart:
    """Return anomalies per interval as bars, stacked by severity with the worst at the bottom."""
    order = list(SEVERITY_COLOURS)
    values = [
        {
            "time": _millis(item.start),
            "until": _millis(item.start) + step * 1000,
            "severity": item.severity.value,
            "rank": order.index(item.severity),
            "anomalies": item.anomalies,
        }
        for item in counts
    ]
    scale = alt.Scale(domain=[severity.value for severity in order], range=list(SEVERITY_COLOURS.values()))
    chart: alt.Chart = (
        alt.Chart(alt.InlineData(values), height=150)
        .mark_bar()
        .encode(
            x=_time_axis(start, end, labels=True),
            x2="until:T",
            y=_count_axis("anomalies:Q", "Anomalies"),
            color=alt.Color("severity:N", scale=scale, legend=alt.Legend(title=None, orient="bottom")),
            order="rank:Q",
            tooltip=[
                alt.Tooltip("time:T", title="From", format="%d %b %H:%M:%S"),
                alt.Tooltip("severity:N", title="Severity"),
                alt.Tooltip("anomalies:Q", title="Anomalies"),
            ],
        )
    )
    return chart
