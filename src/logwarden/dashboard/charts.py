"""The time series of the overview."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import altair as alt

from logwarden.api.record import Severity
from logwarden.store import ActivityPoint, AnomalyCount

# At least 3:1 against the light and the dark background (WCAG 2.2, 1.4.11).
SEVERITY_COLOURS: Final = {Severity.CRITICAL: "#e5484d", Severity.WARNING: "#c77700", Severity.INFO: "#3b82e0"}
LINES_COLOUR: Final = "#0d9488"
_STEPS: Final = (10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
_MOST_BUCKETS = 150
# Both charts give their vertical axis the same room, so that times stand above each other.
_AXIS_WIDTH = 34
_A_DAY = 86400
# So few minutes, in seconds, that there are marks between them.
_MINUTES = 300
# Of the intervals, so many set what is usual, and one with so many times as much towers over them.
_USUAL = 0.9
_TOWERING = 4


def bucket_seconds(start: datetime, end: datetime) -> int:
    """Return a round interval that cuts [start, end] into at most 150 pieces."""
    span = (end - start).total_seconds()
    for step in _STEPS:
        if span / step <= _MOST_BUCKETS:
            return step
    days = -(-span // (_MOST_BUCKETS * 86400))
    return int(days) * 86400


def buckets(start: datetime, end: datetime, step: int) -> range:
    """Return the beginnings of the intervals that cover [start, end], in Unix seconds."""
    return range(int(start.timestamp()) // step * step, int(end.timestamp()) + 1, step)


def _time_axis(shown: range, *, labels: bool) -> alt.X:
    span = shown.stop - shown.start
    form = "%H:%M:%S" if span <= _MINUTES else "%H:%M" if span <= _A_DAY else "%d %b %H:%M"
    axis = alt.Axis(
        title=None, labels=labels, ticks=labels, grid=False, labelOverlap=True, tickCount=6, format=form, labelPadding=4
    )
    # The data reach from the first to the last interval in both charts, so that times stand above each other.
    return alt.X("time:T", scale=alt.Scale(nice=False), axis=axis)


def _count_axis(field: str, top: int | None = None) -> alt.Y:
    axis = alt.Axis(
        title=None,
        tickCount=3,
        # Each number by itself: one unit for all would make 0 read "0k".
        labelExpr="format(datum.value, '~s')",
        minExtent=_AXIS_WIDTH,
        maxExtent=_AXIS_WIDTH,
        tickMinStep=1,
    )
    return alt.Y(field, axis=axis, scale=alt.Scale() if top is None else alt.Scale(domainMax=top))


def _tooltips(*fields: tuple[str, str]) -> list[alt.Tooltip]:
    when = alt.Tooltip("time:T", title="From", format="%Y-%m-%d %H:%M:%S")
    return [when, *(alt.Tooltip(field, title=title) for field, title in fields)]


def top_of(counts: Sequence[int]) -> int:
    """Return up to where lines are drawn: the greatest count, unless a few intervals tower over all others.

    A file that is sent at once makes thousands of lines of an interval, beside which nothing else could be seen.
    """
    ordered = sorted(counts)
    if not ordered:
        return 0
    usual = ordered[int(_USUAL * (len(ordered) - 1))]
    return min(ordered[-1], _TOWERING * usual)


def lines_chart(points: Iterable[ActivityPoint], shown: range, top: int) -> alt.Chart:
    """Return lines per interval as an area up to ``top``; intervals without lines are drawn as zero."""
    lines = {int(point.start.timestamp()): point.lines for point in points}
    values = [{"time": time * 1000, "lines": lines.get(time, 0)} for time in shown]
    # A step holds until the next value: the last one needs an end.
    values.append({"time": (shown[-1] + shown.step) * 1000, "lines": values[-1]["lines"]})
    chart: alt.Chart = (
        alt.Chart(alt.InlineData(values), height=110)
        .mark_area(clip=True, interpolate="step-after", color=LINES_COLOUR, opacity=0.75)
        .encode(
            x=_time_axis(shown, labels=False), y=_count_axis("lines:Q", top), tooltip=_tooltips(("lines:Q", "Lines"))
        )
    )
    return chart


def anomalies_chart(counts: Iterable[AnomalyCount], shown: range) -> alt.Chart:
    """Return anomalies per interval as bars, stacked by severity with the worst at the bottom."""
    order = list(SEVERITY_COLOURS)
    scale = alt.Scale(domain=[severity.value for severity in order], range=list(SEVERITY_COLOURS.values()))
    chart: alt.Chart = (
        alt.Chart(alt.InlineData(_stacked(counts, shown)), height=110)
        .mark_rect()
        .encode(
            x=_time_axis(shown, labels=True),
            x2="until:Q",
            y=_count_axis("low:Q"),
            y2="high:Q",
            color=alt.Color("severity:N", scale=scale, legend=None),
            tooltip=_tooltips(("severity:N", "Severity"), ("anomalies:Q", "Anomalies")),
        )
    )
    return chart


def _stacked(counts: Iterable[AnomalyCount], shown: range) -> list[dict[str, int | str]]:
    """Return one rectangle per interval and severity, and an empty one that spans the whole time."""
    order = list(SEVERITY_COLOURS)
    heights: dict[int, int] = {}
    end = (shown[-1] + shown.step) * 1000
    values = [_rectangle(shown.start * 1000, end, Severity.INFO, 0, 0)]
    for item in sorted(counts, key=lambda item: order.index(item.severity)):
        start = int(item.start.timestamp()) * 1000
        low = heights.get(start, 0)
        heights[start] = low + item.anomalies
        values.append(_rectangle(start, start + shown.step * 1000, item.severity, low, item.anomalies))
    return values


def _rectangle(start: int, end: int, severity: Severity, low: int, anomalies: int) -> dict[str, int | str]:
    return {
        "time": start,
        "until": end,
        "severity": severity.value,
        "low": low,
        "high": low + anomalies,
        "anomalies": anomalies,
    }
