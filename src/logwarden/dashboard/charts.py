"""The time series of the overview."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

import altair as alt
import pandas as pd

from logwarden.api.record import Severity
from logwarden.store import ActivityPoint, AnomalyCount

# At least 3:1 against the light and the dark background (WCAG 2.2, 1.4.11).
SEVERITY_COLOURS: Final = {Severity.CRITICAL: "#e5484d", Severity.WARNING: "#c77700", Severity.INFO: "#3b82e0"}
_LINES_COLOUR = "#0d9488"
_STEPS: Final = (10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
_MOST_BUCKETS = 150
# Both charts give their vertical axis the same room, so that times stand above each other.
_AXIS_WIDTH = 34
_A_DAY = 86400


def bucket_seconds(start: datetime, end: datetime) -> int:
    """Return a round interval that cuts [start, end] into at most 150 pieces."""
    span = (end - start).total_seconds()
    for step in _STEPS:
        if span / step <= _MOST_BUCKETS:
            return step
    days = -(-span // (_MOST_BUCKETS * 86400))
    return int(days) * 86400


def _time_axis(start: datetime, end: datetime, *, labels: bool) -> alt.X:
    within_a_day = (end - start).total_seconds() <= _A_DAY
    axis = alt.Axis(
        title=None,
        labels=labels,
        ticks=labels,
        grid=False,
        labelOverlap=True,
        tickCount=6,
        format="%H:%M" if within_a_day else "%d %b %H:%M",
    )
    scale = alt.Scale(domain=[_moment(start), _moment(end)])
    return alt.X("time:T", scale=scale, axis=axis)


def _moment(moment: datetime) -> alt.DateTime:
    utc = moment.astimezone(UTC)
    return alt.DateTime(
        year=utc.year,
        month=utc.month,
        date=utc.day,
        hours=utc.hour,
        minutes=utc.minute,
        seconds=utc.second,
        utc=True,
    )


def _count_axis(field: str) -> alt.Y:
    axis = alt.Axis(title=None, tickCount=3, format="~s", minExtent=_AXIS_WIDTH, maxExtent=_AXIS_WIDTH, tickMinStep=1)
    return alt.Y(field, axis=axis)


def _tooltips(*fields: tuple[str, str]) -> list[alt.Tooltip]:
    when = alt.Tooltip("time:T", title="From", format="%Y-%m-%d %H:%M:%S")
    return [when, *(alt.Tooltip(field, title=title) for field, title in fields)]


def lines_chart(points: Iterable[ActivityPoint], start: datetime, end: datetime, step: int) -> alt.Chart:
    """Return lines per interval as an area; intervals without lines are drawn as zero."""
    filled = _filled({int(point.start.timestamp()): point.lines for point in points}, start, end, step)
    data = pd.DataFrame({"time": pd.to_datetime(list(filled), unit="s", utc=True), "lines": list(filled.values())})
    chart: alt.Chart = (
        alt.Chart(data, height=110)
        .mark_area(interpolate="step-after", color=_LINES_COLOUR, opacity=0.75)
        .encode(
            x=_time_axis(start, end, labels=False), y=_count_axis("lines:Q"), tooltip=_tooltips(("lines:Q", "Lines"))
        )
    )
    return chart


def _filled(lines: dict[int, int], start: datetime, end: datetime, step: int) -> dict[int, int]:
    first = int(start.timestamp()) // step * step
    return {time: lines.get(time, 0) for time in range(first, int(end.timestamp()) + 1, step)}


def anomalies_chart(counts: Sequence[AnomalyCount], start: datetime, end: datetime, step: int) -> alt.Chart:
    """Return anomalies per interval as bars, stacked by severity with the worst at the bottom."""
    order = list(SEVERITY_COLOURS)
    times = pd.to_datetime([int(item.start.timestamp()) for item in counts], unit="s", utc=True)
    data = pd.DataFrame(
        {
            "time": times,
            "until": times + pd.Timedelta(seconds=step),
            "severity": [item.severity.value for item in counts],
            "rank": [order.index(item.severity) for item in counts],
            "anomalies": [item.anomalies for item in counts],
        }
    )
    scale = alt.Scale(domain=[severity.value for severity in order], range=list(SEVERITY_COLOURS.values()))
    chart: alt.Chart = (
        alt.Chart(data, height=170)
        .mark_bar()
        .encode(
            x=_time_axis(start, end, labels=True),
            x2="until:T",
            y=_count_axis("anomalies:Q"),
            color=alt.Color("severity:N", scale=scale, legend=alt.Legend(title=None, orient="top", offset=4)),
            order="rank:Q",
            tooltip=_tooltips(("severity:N", "Severity"), ("anomalies:Q", "Anomalies")),
        )
    )
    return chart
