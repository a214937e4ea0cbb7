"""Records as the plain values that the page's script draws. Times are milliseconds since 1970."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from logwarden.api.record import AnomalyRecord, Case, Evidence, LogLine
from logwarden.dashboard import facts

Values = dict[str, Any]


def _millis(moment: datetime | None) -> int | None:
    return round(moment.timestamp() * 1000) if moment is not None else None


def row(record: AnomalyRecord) -> Values:
    """Return what a list shows of a record."""
    return {
        "id": record.id,
        "time": _millis(record.start),
        "severity": record.severity.value,
        "host": record.source.host,
        "app": record.source.app or "",
        "summary": facts.summary(record),
        "score": record.score,
        "feedback": record.feedback.value if record.feedback else None,
    }


def detail(record: AnomalyRecord, case: Case | None, others: Sequence[AnomalyRecord]) -> Values:
    """Return all that is shown of a selected record; ``others`` are the other anomalies of its case."""
    finding, advice = facts.split_explanation(record.explanation.text) if record.explanation else ("", "")
    return row(record) | {
        "end": _millis(record.end),
        "detected": _millis(record.detected),
        "threshold": record.threshold,
        "finding": finding,
        "advice": advice,
        "backend": record.explanation.backend if record.explanation else "",
        "channels": [{"name": facts.CHANNELS.get(name, name), "score": score} for name, score in _channels(record)],
        "evidence": [_evidence(item) for item in record.evidence],
        "origin": _origin(record),
        "lines": [_line(record, line) for line in record.lines],
        "lineCount": record.line_count,
        "template": record.template.text,
        "unit": record.unit.value,
        "address": record.source.address or "",
        "revision": record.revision,
        "pipeline": record.pipeline,
        "case": _case(case, others) if case is not None else None,
    }


def _channels(record: AnomalyRecord) -> list[tuple[str, float]]:
    known = list(facts.CHANNELS)
    return sorted(record.channels.items(), key=lambda item: known.index(item[0]) if item[0] in known else len(known))


def _evidence(item: Evidence) -> Values:
    return {
        "title": facts.KINDS[item.kind],
        "channel": facts.CHANNELS.get(item.channel, item.channel),
        "score": item.score,
        "facts": facts.readable_facts(item),
    }


def _origin(record: AnomalyRecord) -> Values:
    origin = record.origin
    return {
        "stream": facts.stream_name(origin),
        "unit": "line" if origin.stream.startswith("file:") else "offset",
        "first": origin.first,
        "last": origin.last,
        "listener": origin.listener or "",
        "received": _millis(origin.received),
    }


def _line(record: AnomalyRecord, line: LogLine) -> Values:
    return {
        "position": line.position,
        "where": facts.line_origin(record.origin, line),
        "time": _millis(line.time),
        "text": line.text,
        "odd": line.odd,
    }


def _case(case: Case, others: Sequence[AnomalyRecord]) -> Values:
    return {
        "id": case.id,
        "title": case.title,
        "severity": case.severity.value,
        "start": _millis(case.start),
        "end": _millis(case.end),
        "anomalies": case.anomalies,
        "suppressed": case.suppressed,
        "others": [row(item) for item in others],
    }
