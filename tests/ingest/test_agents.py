"""Programs of others deliver as they are."""

from __future__ import annotations

import logging
import subprocess
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
from tests.sources.conftest import Collected, wait_for

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


SYSLOG_NG = """
@version: 3.38
options { stats-freq(0); keep-hostname(yes); time-reopen(1); };
source files { file("FOLDER/in.log" follow-freq(0.1)); };
destination logwarden {
  http(
    url("http://127.0.0.1:PORT/v1/logs")
    method("POST") headers("Authorization: Bearer secret", "Content-Type: text/plain")
    body("<${PRI}>${ISODATE} ${HOST} ${MSGHDR}${MSG}") delimiter("\\n") batch-lines(1000) batch-timeout(1000)
    response-action(429 => disconnect, 503 => disconnect)
    disk-buffer(reliable(yes) mem-buf-size(10M) disk-buf-size(2G) dir("FOLDER"))
  );
};
log { source(files); destination(logwarden); flags(flow-control); };
"""


class Moody:
    """A spool that says of itself what it is told to say."""

    def __init__(self, spool: Spool) -> None:
        self.append = spool.append
        self.durable = spool.durable
        self.crowded = True
        self.problem = ""


@pytest.mark.syslog
def test_syslog_ng_delivers_with_its_http_destination(spool: Spool, serve: Serve, tmp_path: Path) -> None:
    """The destination is that of docs/ingest.md; the endpoint refuses at first, and nothing is lost."""
    intake = Moody(spool)
    one = listener(intake, tokens=tokens(tmp_path))
    port = serve(one)
    config = tmp_path / "syslog-ng.conf"
    config.write_text(SYSLOG_NG.replace("PORT", str(port)).replace("FOLDER", str(tmp_path)))
    lines = [f"<38>Oct 11 22:14:{number % 60:02d} r1 sshd[{number}]: line {number}" for number in range(3000)]
    (tmp_path / "in.log").write_text("".join(f"{line}\n" for line in lines))
    files = [f"--{name}={tmp_path}/{name}" for name in ("persist-file", "pidfile", "control")]
    command = ["syslog-ng", "--foreground", "--no-caps", "--stderr", f"--cfgfile={config}", *files]
    log = tmp_path / "syslog-ng.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, env={"PATH": "/usr/sbin:/usr/bin"}, stdout=out, stderr=out)
    try:
        for state in ("crowded", "away"):
            intake.problem, intake.crowded = state if state == "away" else "", True
            before = one.counts.refused
            wait_for(lambda: one.counts.refused >= before + 4 or process.poll() is not None)  # noqa: B023
            assert process.poll() is None, log.read_text()
        intake.problem, intake.crowded = "", False
        wait_for(lambda: Collected(spool).count >= 3000)
    finally:
        process.terminate()
        process.wait(60)
    parser = LineParser()
    parsed = [parser.parse(line) for line in Collected(spool).lines]
    assert [(line.host, line.app, line.message) for line in parsed] == [
        ("r1", "sshd", f"line {number}") for number in range(3000)
    ]
