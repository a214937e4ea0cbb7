"""Programs of others deliver as they are."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource

from logwarden.parse.line import LineParser
from logwarden.sources.listening import Listener
from logwarden.sources.spool import Spool
from tests.sources.conftest import Collected

from .builders import HOST, listener, tokens

Serve = Callable[[Listener], int]


def exporter(port: int, token: str = "secret") -> OTLPLogExporter:
    return OTLPLogExporter(
        endpoint=f"http://{HOST}:{port}/v1/logs",
        headers={"Authorization": f"Bearer {token}"},
        compression=Compression.Gzip,
        timeout=20,
    )


def test_the_sdk_of_opentelemetry_delivers(spool: Spool, serve: Serve, tmp_path: Path) -> None:
    port = serve(listener(spool, tokens=tokens(tmp_path)))
    provider = LoggerProvider(resource=Resource.create({"host.name": "web1", "service.name": "shop"}))
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter(port)))
    logger = provider.get_logger("test")
    for number in range(1000):
        logger.emit(
            body=f"order {number} failed",
            severity_number=SeverityNumber.ERROR,
            timestamp=1_760_000_000_000_000_000 + number,
            attributes={"customer": number},
        )
    assert provider.force_flush(60_000)
    provider.shutdown()
    parser = LineParser()
    parsed = [parser.parse(line) for line in Collected(spool).lines]
    assert [line.message for line in parsed] == [f"order {number} failed customer={number}" for number in range(1000)]
    assert {(line.host, line.app, line.severity) for line in parsed} == {("web1", "shop", 3)}


def test_the_sdk_says_why_it_was_refused(
    spool: Spool, serve: Serve, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    port = serve(listener(spool, tokens=tokens(tmp_path)))
    provider = LoggerProvider()
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter(port, "wrong")))
    provider.get_logger("test").emit(body="x", severity_number=SeverityNumber.INFO)
    with caplog.at_level(logging.ERROR):
        provider.force_flush(60_000)
        provider.shutdown()
    assert "401" in caplog.text
    assert Collected(spool).count == 0
