"""Logs of the OpenTelemetry Protocol over HTTP, as protobuf and as JSON (OTLP 1.x)."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from logwarden.ingest.idempotency import Taken
from logwarden.ingest.lines import MAX_ENCODED_RECORD, Lines, too_long
from logwarden.ingest.records import LineList, Record, excerpt
from logwarden.ingest.wire import Walk, varint

if TYPE_CHECKING:
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

PROTOCOL = "otlp"
RESOURCE_LOGS = "resourceLogs"
"""Key by which a JSON body of OTLP is told from other JSON."""

_HOST = ("host.name", "k8s.node.name", "net.host.name")
_APP = ("service.name", "process.executable.name", "k8s.container.name")
_NO_NAME = "unknown_service"
# Severity numbers come in groups of four: TRACE, DEBUG, INFO, WARN, ERROR, FATAL. Theirs in syslog:
_SEVERITIES = (7, 7, 6, 4, 3, 2)


def read_protobuf(body: bytes) -> Lines:
    """Take the records from an ExportLogsServiceRequest: resource logs (1) of a resource (1) and scope logs (2)."""
    lines, walk = LineList(PROTOCOL), Walk()
    for resource_logs in walk.submessages(body, 1):
        resource: dict[str, Any] = {}
        for raw in walk.submessages(resource_logs, 1):
            resource = _read_resource(raw)
        for scope_logs in walk.submessages(resource_logs, 2):
            for raw in walk.submessages(scope_logs, 2):
                _add_protobuf(lines, raw, resource)
    return lines.finish()


def read_json(value: Mapping[str, Any]) -> Lines:
    """Take the records from an ExportLogsServiceRequest in JSON."""
    lines = LineList(PROTOCOL)
    for resource_logs in _objects(value, RESOURCE_LOGS):
        resource = _json_attributes(resource_logs.get("resource") or {})
        for scope_logs in _objects(resource_logs, "scopeLogs"):
            for record in _objects(scope_logs, "logRecords"):
                _add_json(lines, record, resource)
    return lines.finish()


def response_protobuf(taken: Taken) -> bytes:
    """Return an ExportLogsServiceResponse."""
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
        ExportLogsPartialSuccess,
        ExportLogsServiceResponse,
    )

    if not taken.rejected:
        return b""
    part = ExportLogsPartialSuccess(rejected_log_records=taken.rejected, error_message=taken.first_reason)
    return bytes(ExportLogsServiceResponse(partial_success=part).SerializeToString())


def response_json(taken: Taken) -> dict[str, Any]:
    """Return an ExportLogsServiceResponse in JSON."""
    if not taken.rejected:
        return {}
    return {"partialSuccess": {"rejectedLogRecords": str(taken.rejected), "errorMessage": taken.first_reason}}


def status_protobuf(message: str) -> bytes:
    """Return a ``google.rpc.Status`` with a message, which OTLP wants as the body of an error."""
    text = message.encode()
    return b"\x12" + varint(len(text)) + text


def _read_resource(raw: bytes) -> dict[str, Any]:
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource

    if len(raw) > MAX_ENCODED_RECORD:
        raise ValueError(f"a resource of {len(raw):,} bytes is larger than {MAX_ENCODED_RECORD:,}")
    try:
        return _attributes(Resource.FromString(raw).attributes)
    except DecodeError as error:
        raise ValueError(f"not a protobuf message: {error}") from None


def _add_protobuf(lines: LineList, raw: bytes, resource: Mapping[str, Any]) -> None:
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

    if len(raw) > MAX_ENCODED_RECORD:
        lines.reject(raw, too_long(len(raw)))
        return
    try:
        record = LogRecord.FromString(raw)
    except DecodeError:
        lines.reject(raw, "not a LogRecord: a field is damaged, or a text is not UTF-8")
        return
    time = record.time_unix_nano or record.observed_time_unix_nano
    severity = _severity(record.severity_number, record.severity_text)
    lines.add(_record(_value(record.body), time, severity, _attributes(record.attributes), resource))


def _add_json(lines: LineList, record: Mapping[str, Any], resource: Mapping[str, Any]) -> None:
    try:
        text = _json_value(record.get("body") or {})
        severity = _severity(_severity_number(record.get("severityNumber")), str(record.get("severityText") or ""))
        time = int(record.get("timeUnixNano") or record.get("observedTimeUnixNano") or 0)
        lines.add(_record(text, time, severity, _json_attributes(record), resource))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        lines.reject(excerpt(record), f"not a LogRecord: {error}")


def _record(
    body: Any, time: int, severity: int | str, attributes: Mapping[str, Any], resource: Mapping[str, Any]
) -> Record:
    stated = {**resource, **attributes}
    own = {key: value for key, value in attributes.items() if key not in _HOST and key not in _APP}
    if body in (None, ""):  # an event may say everything in its attributes
        body, own = own, {}
    return Record(
        text=body if isinstance(body, dict) else str(body),
        time=time or None,
        host=_first(stated, _HOST),
        app=_first(stated, _APP),
        severity=severity,
        attributes=own,
    )


def _first(values: Mapping[str, Any], names: tuple[str, ...]) -> str:
    for name in names:
        value = str(values.get(name) or "")
        if value and not value.startswith(_NO_NAME):
            return value
    return ""


def _severity(number: int, text: str) -> int | str:
    return _SEVERITIES[(number - 1) // 4] if 1 <= number <= 4 * len(_SEVERITIES) else text


def _severity_number(value: Any) -> int:
    """Read a number, or the name of one such as ``SEVERITY_NUMBER_WARN2``."""
    if isinstance(value, str) and not value.isdecimal():
        name = value.removeprefix("SEVERITY_NUMBER_").rstrip("1234")
        names = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
        return 1 + 4 * names.index(name) if name in names else 0
    return int(value or 0)


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    return getattr(value, kind)


def _json_attributes(owner: Mapping[str, Any]) -> dict[str, Any]:
    return {str(pair["key"]): _json_value(pair.get("value") or {}) for pair in _objects(owner, "attributes", "key")}


def _json_value(value: Any) -> Any:
    if not isinstance(value, dict):
        raise ValueError(f"found {type(value).__name__}, expected a value such as {{'stringValue': 'text'}}")
    for kind, item in value.items():
        if kind == "kvlistValue":
            pairs = _objects(item, "values", "key")
            return {str(pair["key"]): _json_value(pair.get("value") or {}) for pair in pairs}
        if kind == "arrayValue":
            return [_json_value(one) for one in _objects(item, "values")]
        if kind == "intValue":
            return int(item)
        if kind in ("stringValue", "boolValue", "doubleValue", "bytesValue"):
            return item
    return None


def _objects(owner: Mapping[str, Any], key: str, *required: str) -> list[dict[str, Any]]:
    """Return the objects of a list; absent is empty."""
    found = owner.get(key) or []
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise ValueError(f"{key}: expected an array of objects")
    for name in required:
        if not all(name in item for item in found):
            raise ValueError(f"{key}: an object lacks {name}")
    return found
