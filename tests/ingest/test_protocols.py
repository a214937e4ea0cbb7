"""OTLP, Loki and Splunk's HEC on a real port: what becomes of a record, and what a sender is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cramjam
import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from logwarden.ingest.wire import varint
from logwarden.parse.line import LineParser
from logwarden.sources.base import MAX_LINE_BYTES
from logwarden.sources.listening import Listener
from logwarden.sources.spool import Spool
from tests.sources.conftest import Collected

from .builders import HOST, listener, tokens

Serve = Callable[[Listener], int]
NS = 1_760_000_000_000_000_000
SYSLOG = "<38>Oct  9 08:53:20 r1 sshd[7]: Failed password for root"
PROTOBUF = {"content-type": "application/x-protobuf"}


@pytest.fixture
def client(spool: Spool, serve: Serve, tmp_path: Path) -> Iterator[httpx.Client]:
    port = serve(listener(spool, tokens=tokens(tmp_path, "secret")))
    headers = {"authorization": "Bearer secret"}
    with httpx.Client(base_url=f"http://{HOST}:{port}", timeout=20, headers=headers) as one:
        yield one


def parsed(spool: Spool) -> list[tuple[float | None, str, str, int | None, str]]:
    """What the parser makes of the lines in a spool: time, host, app, severity, message."""
    parser = LineParser()
    lines = [parser.parse(line) for line in Collected(spool).lines]
    return [(line.time, line.host, line.app, line.severity, line.message) for line in lines]


def text(value: str) -> AnyValue:
    return AnyValue(string_value=value)


def attribute(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=text(value))


def export(*records: LogRecord, host: str = "web1") -> bytes:
    resource = Resource(attributes=[attribute("host.name", host), attribute("service.name", "shop")])
    scope = ScopeLogs(log_records=records)
    return ExportLogsServiceRequest(
        resource_logs=[ResourceLogs(resource=resource, scope_logs=[scope])]
    ).SerializeToString()


# ------------------------------------------------------------------ OTLP


def test_otlp_records_become_lines_with_host_app_time_and_severity(client: httpx.Client, spool: Spool) -> None:
    record = LogRecord(
        time_unix_nano=NS, severity_number=17, body=text("db is gone"), attributes=[attribute("db", "x")]
    )
    answer = client.post("/v1/logs", content=export(record), headers=PROTOBUF)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "application/x-protobuf"
    assert parsed(spool) == [(NS / 1e9, "web1", "shop", 3, "db is gone db=x")]


def test_a_record_that_is_a_syslog_line_stays_that_line(client: httpx.Client, spool: Spool) -> None:
    client.post("/v1/logs", content=export(LogRecord(body=text(SYSLOG)), host="collector"), headers=PROTOBUF)
    assert Collected(spool).lines == [SYSLOG]


def test_otlp_in_json_is_told_by_its_content(client: httpx.Client, spool: Spool) -> None:
    record = {"timeUnixNano": str(NS), "severityNumber": "SEVERITY_NUMBER_WARN", "body": {"stringValue": "hot"}}
    resource = {"attributes": [{"key": "host.name", "value": {"stringValue": "r9"}}]}
    body = {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [record]}]}]}
    answer = client.post("/v1/logs", json=body)
    assert (answer.status_code, answer.json()) == (200, {})
    assert parsed(spool) == [(NS / 1e9, "r9", "", 4, "hot")]


def test_a_structured_body_keeps_its_fields(client: httpx.Client, spool: Spool) -> None:
    body = AnyValue(kvlist_value=KeyValueList(values=[attribute("message", "up"), attribute("iface", "eth0")]))
    client.post("/v1/logs", content=export(LogRecord(body=body)), headers=PROTOBUF)
    assert parsed(spool)[0][1:] == ("web1", "shop", None, "up iface=eth0")


def test_bad_records_are_kept_with_their_reason_and_told(client: httpx.Client, spool: Spool) -> None:
    long, good = LogRecord(body=text("x" * (MAX_LINE_BYTES + 1))), LogRecord(body=text("good"))
    broken = LogRecord(body=text("Zbroken")).SerializeToString().replace(b"Z", b"\xff")
    nested = export(good, long)
    scope = b"\x12" + varint(len(broken)) + broken
    logs = b"\x12" + varint(len(scope)) + scope
    body = nested + b"\x0a" + varint(len(logs)) + logs
    answer = client.post("/v1/logs", content=body, headers=PROTOBUF)
    partial = ExportLogsServiceResponse.FromString(answer.content).partial_success
    assert (answer.status_code, partial.rejected_log_records) == (200, 2)
    assert "longer than 65536" in partial.error_message
    got = Collected(spool)
    assert len(got.lines) == 1
    assert [reason[:15] for reason in got.reasons] == ["line of 65578 b", "not a LogRecord"]


def test_an_otlp_error_is_a_status_message(client: httpx.Client) -> None:
    answer = client.post("/v1/logs", content=b"\x0a\xff", headers=PROTOBUF)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/x-protobuf")
    assert answer.content[:1] == b"\x12"
    assert b"not a protobuf message" in answer.content


BOMBS = [
    b"\x0a" + varint(8_000_002) + b"\x12" + varint(8_000_000 - 3) + b"\x12\x00" * 4_000_000,
    b"\x08\x00" * 1_500_000,
]


@pytest.mark.parametrize("body", BOMBS)
def test_a_small_protobuf_cannot_become_many_objects(client: httpx.Client, spool: Spool, body: bytes) -> None:
    packed = bytes(cramjam.gzip.compress(body))
    answer = client.post("/v1/logs", content=packed, headers={**PROTOBUF, "content-encoding": "gzip"}, timeout=60)
    assert answer.status_code in (400, 413)
    assert Collected(spool).count == 0


# ------------------------------------------------------------------ Loki


def loki_body() -> bytes:
    """A PushRequest of two entries: the wire format, packed with snappy."""
    stamp = b"\x08" + varint(NS // 10**9) + b"\x10" + varint(5)
    entries = b""
    for line in (b"link down", SYSLOG.encode()):
        entry = b"\x0a" + varint(len(stamp)) + stamp + b"\x12" + varint(len(line)) + line
        entries += b"\x12" + varint(len(entry)) + entry
    labels = b'{host="sw1", job="switches", level="error"}'
    stream = b"\x0a" + varint(len(labels)) + labels + entries
    return bytes(cramjam.snappy.compress_raw(b"\x0a" + varint(len(stream)) + stream))


LOKI_JSON = {
    "streams": [
        {
            "stream": {"host": "sw1", "job": "switches", "level": "error"},
            "values": [[str(NS), "link down"], [str(NS), SYSLOG, {"trace": "1"}]],
        }
    ]
}


@pytest.mark.parametrize("as_json", [True, False])
def test_loki_entries_become_lines(client: httpx.Client, spool: Spool, as_json: bool) -> None:
    request: dict[str, Any] = {"json": LOKI_JSON} if as_json else {"content": loki_body(), "headers": PROTOBUF}
    answer = client.post("/loki/api/v1/push", **request)
    assert (answer.status_code, answer.content) == (204, b"")
    first, second = parsed(spool)
    assert first == (NS / 1e9, "sw1", "switches", 3, "link down")
    assert second[1:3] == ("r1", "sshd")


@pytest.mark.parametrize(
    ("kind", "body", "status", "words"),
    [
        ("application/json", b'{"streams": 7}', 400, "streams"),
        ("application/json", b'{"streams": [{"stream": {}, "values": 7}]}', 400, "values"),
        ("application/json", b"[" * 5000, 400, "Content-Type"),
        ("application/x-protobuf", b"not snappy", 400, "not valid snappy"),
        ("application/x-protobuf", b"\xff\xff\xff\xff\x0f" + b"\0" * 20, 413, "unpacked"),
        ("text/plain", b"x", 415, "application/json, or application/x-protobuf with snappy"),
    ],
)
def test_a_bad_push_is_told_why(client: httpx.Client, kind: str, body: bytes, status: int, words: str) -> None:
    answer = client.post("/loki/api/v1/push", content=body, headers={"content-type": kind})
    assert answer.status_code == status
    assert words in answer.text


# ------------------------------------------------------------------ Splunk


@pytest.mark.parametrize("path", ["/services/collector/event", "/services/collector", "/services/collector/event/1.0"])
def test_hec_events_become_lines(client: httpx.Client, spool: Spool, path: str) -> None:
    events: list[dict[str, Any]] = [
        {"time": 1_760_000_000.5, "host": "fw1", "event": "denied", "fields": {"zone": "dmz"}},
        {"event": {"message": "up", "host": "fw2"}},
        {"event": SYSLOG},
    ]
    body = "".join(map(json.dumps, events))  # one after the other, without a separator
    answer = client.post(path, content=body, headers={"authorization": "Splunk secret"})
    assert (answer.status_code, answer.json()) == (200, {"text": "Success", "code": 0})
    first, second, third = parsed(spool)
    assert first == (1_760_000_000.5, "fw1", "", None, "denied zone=dmz")
    assert second[1] == "fw2"
    assert third[2] == "sshd"


def test_hec_raw_lines_get_the_host_of_the_request(client: httpx.Client, spool: Spool) -> None:
    body = f"link down\n{SYSLOG}\n"
    answer = client.post("/services/collector/raw?host=sw7", content=body, headers={"authorization": "Splunk secret"})
    assert answer.json() == {"text": "Success", "code": 0}
    assert [row[1] for row in parsed(spool)] == ["sw7", "r1"]


def test_hec_events_without_an_event_are_kept_with_the_reason(client: httpx.Client, spool: Spool) -> None:
    assert client.post("/services/collector", content=b'{"event": "a"} {"evnt": 1} 7').status_code == 200
    got = Collected(spool)
    assert (len(got.lines), len(got.reasons)) == (1, 2)
    assert "event is expected" in got.reasons[0]


@pytest.mark.parametrize(
    ("body", "token", "status", "code"),
    [
        (b'{"event": "a"', "secret", 400, 6),
        (b'{"a":' * 5000, "secret", 400, 6),
        (b"", "secret", 400, 6),
        (b'{"event": "a"}', "wrong", 401, 4),
    ],
)
def test_hec_errors_have_splunks_codes(client: httpx.Client, body: bytes, token: str, status: int, code: int) -> None:
    headers = {"authorization": f"Splunk {token}"}
    answer = client.post("/services/collector/event", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_agents_find_the_collector_healthy(client: httpx.Client) -> None:
    assert client.get("/services/collector/health/1.0").status_code == 200


# ------------------------------------------------------------------ the description


def test_the_page_lists_every_protocol_and_needs_nothing_from_elsewhere(client: httpx.Client) -> None:
    page = client.get("/docs").text
    for path in ("/v1/logs", "/loki/api/v1/push", "/services/collector/event", "/services/collector/raw", "/readyz"):
        assert path in page
    assert "src=" not in page
    assert "http" not in page.replace("OTLP/HTTP", "")
    document = client.get("/openapi.json").json()
    assert document["components"]["securitySchemes"] == {
        "HTTPBearer": {"type": "http", "scheme": "bearer", "description": "A token of the endpoint's Secret."}
    }
    assert "application/x-protobuf" in document["paths"]["/v1/logs"]["post"]["requestBody"]["content"]
