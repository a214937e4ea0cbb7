"""Between records and rows: times as microseconds, records as JSON, and text that a database can hold."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row

from logwarden.api.record import AnomalyRecord, Case, Explanation

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# Kept in columns of their own, because they change after detection.
_CHANGING = {"detected", "case_id", "explanation", "feedback"}


def to_micros(moment: datetime) -> int:
    """Return whole microseconds since 1970; a time without a zone is taken as UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """Return the time in UTC."""
    return _EPOCH + timedelta(microseconds=micros)


def now_micros() -> int:
    """Return the present time."""
    return time.time_ns() // 1000


def storable(text: str) -> str:
    r"""Return text that every database takes: bytes that were not UTF-8 as ``\xff``, NUL as ``\x00``."""
    if "\0" in text:
        text = text.replace("\0", "\\x00")
    if text.isascii():
        return text
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def record_row(record: AnomalyRecord, recorded: int) -> dict[str, Any]:
    """Return the row of table ``anomalies`` for a record."""
    explanation = record.explanation
    return {
        "id": record.id,
        "pipeline": record.pipeline,
        "start": to_micros(record.start),
        "end": to_micros(record.end),
        "detected": to_micros(record.detected),
        "recorded": recorded,
        "host": storable(record.source.host),
        "app": storable(record.source.app) if record.source.app is not None else None,
        "severity": record.severity.value,
        "category": record.category,
        "score": record.score,
        "case_id": record.case_id,
        "body": _body(record),
        "search": _search_text(record),
        "explanation": storable(explanation.text) if explanation else None,
        "explanation_backend": explanation.backend if explanation else None,
        "explanation_faithful": explanation.faithful if explanation else None,
        "feedback": record.feedback.value if record.feedback else None,
    }


def _body(record: AnomalyRecord) -> str:
    try:
        return record.model_dump_json(exclude=_CHANGING)
    except ValueError:
        # Bytes that are not UTF-8 are in the lines or the names: rare, and worth a second, slower attempt.
        return json.dumps(_clean(record.model_dump(exclude=_CHANGING)), default=_plain)


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return value


def _search_text(record: AnomalyRecord) -> str:
    source = record.source
    words = [source.host, source.address or "", source.app or "", record.template.text]
    return storable("\n".join([*words, *(line.text for line in record.lines)]))


def read_record(row: Row[Any]) -> AnomalyRecord:
    """Return the record of a row of table ``anomalies``."""
    values = json.loads(row.body)
    values["detected"] = from_micros(row.detected)
    values["case_id"] = row.case_id
    values["feedback"] = row.feedback
    if row.explanation is not None:
        values["explanation"] = Explanation(
            text=row.explanation, backend=row.explanation_backend, faithful=bool(row.explanation_faithful)
        )
    return AnomalyRecord.model_validate(values)


def case_row(case: Case, recorded: int) -> dict[str, Any]:
    """Return the row of table ``cases`` for a case."""
    try:
        body = case.model_dump_json()
    except ValueError:
        body = json.dumps(_clean(case.model_dump()), default=_plain)
    return {
        "id": case.id,
        "pipeline": case.pipeline,
        "start": to_micros(case.start),
        "end": to_micros(case.end),
        "recorded": recorded,
        "body": body,
    }
