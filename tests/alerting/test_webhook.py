"""Webhooks: what they are told, once for each case, and until it is delivered."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from logwarden.alerting.failures import FailureLog
from logwarden.alerting.news import AGAIN_SECONDS, News
from logwarden.alerting.rules import Alert, Counts, Rules
from logwarden.alerting.webhook import MOST_WAITING, Webhook, WebhookSender
from logwarden.api.log_pipeline import AlertsSpec, WebhookSpec
from logwarden.api.record import Case, Severity
from logwarden.outcome import Outcome, RejectedLine
from logwarden.privacy import Privacy

PRIVACY = Privacy(["ip", "user", "secret"], b"0123456789abcdef")
START = datetime(2026, 3, 1, tzinfo=UTC)
BAD = RejectedLine("raw/0", 7, None, None, "half a line", "user=mallory password=x at 203.0.113.9", "read")


class Hook:
    """Takes messages; answers with ``status``."""

    def __init__(self) -> None:
        self.status = 204
        self.taken: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.free = threading.Event()  # cleared, it answers nobody
        self.free.set()
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                hook.keys.append(self.headers["Idempotency-Key"])
                hook.free.wait(30)
                if hook.status == 204:
                    hook.taken.append(body)
                self.send_response(hook.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = SecretStr(f"http://127.0.0.1:{self.server.server_address[1]}/hook?token=t0ps3cret")


@contextmanager
def serving() -> Iterator[Hook]:
    """Serve a hook."""
    hook = Hook()
    thread = threading.Thread(target=hook.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hook
    finally:
        hook.free.set()
        hook.server.shutdown()
        hook.server.server_close()
        thread.join()


@pytest.fixture
def hook() -> Iterator[Hook]:
    with serving() as hook:
        yield hook


def spec(**fields: Any) -> WebhookSpec:
    return WebhookSpec.model_validate({"name": "hook", "urlSecretRef": {"name": "s", "key": "k"}, **fields})


def news(minimum: Severity = Severity.WARNING, **fields: Any) -> News:
    return News("campus", spec(**fields), minimum, PRIVACY)


def case(anomalies: int = 1, severity: Severity = Severity.WARNING, name: str = "c1") -> Case:
    return Case(
        id=name, pipeline="campus", title="Odd", start=START, end=START, severity=severity, hosts=["r1"],
        anomalies=anomalies, score=0.9,
    )  # fmt: skip


def wait_until(true: Callable[[], object]) -> None:
    until = time.monotonic() + 30
    while not true():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_burst_is_one_message_and_what_gets_worse_is_told_at_once() -> None:
    told = news()
    told.note_cases([case(number) for number in range(1, 1000)], 0.0)
    told.note_cases([case(name="quiet", severity=Severity.INFO)], 0.0)
    (first,) = told.messages([], 1.0)
    assert (first.body["kind"], first.body["case"]["anomalies"]) == ("case", 999)
    told.note_cases([case(1200)], 2.0)
    assert told.messages([], 3.0) == []
    told.note_cases([case(1300, Severity.CRITICAL)], 4.0)
    (second,) = told.messages([], 5.0)
    assert second.body["case"]["severity"] == "critical"
    told.note_cases([case(1400, Severity.CRITICAL)], 6.0)
    assert told.messages([], 7.0) == []
    (third,) = told.messages([], 5.0 + AGAIN_SECONDS)
    assert third.body["case"]["anomalies"] == 1400
    assert told.messages([], 1e6) == []
    assert told._cases == {}


def test_alerts_about_the_pipeline_are_told_when_they_begin_and_end() -> None:
    told = news()
    alert = Alert((("alertname", "LogwardenLoss"), ("pipeline", "campus"), ("severity", "warning")), 0.0, "lost")
    (begins,) = told.messages([alert], 1.0)
    assert (begins.body["alert"]["name"], begins.body["alert"]["status"]) == ("LogwardenLoss", "firing")
    assert told.messages([alert], 2.0) == []
    (ends,) = told.messages([], 3.0)
    assert ends.body["alert"]["status"] == "resolved"
    assert ends.key == begins.key, "only the newest state is worth waiting for"


def test_failures_are_told_with_stage_cause_and_masked_sample(caplog: pytest.LogCaptureFixture) -> None:
    told = news()
    told.note_rejected([BAD] * 5)
    (message,) = told.messages([], 1.0)
    failure = message.body["failure"]
    assert (failure["stage"], failure["reason"], failure["lines"]) == ("read", "half a line", 5)
    assert (failure["stream"], failure["position"]) == ("raw/0", 7)
    told.note_rejected([BAD] * 3)
    assert told.messages([], 2.0) == []
    (again,) = told.messages([], 1.0 + AGAIN_SECONDS)
    assert again.body["failure"]["lines"] == 3
    with caplog.at_level(logging.WARNING):
        FailureLog(PRIVACY).note([BAD] * 5)
    (record,) = caplog.records
    assert "stage read: half a line" in record.getMessage()
    for text in (record.getMessage(), json.dumps(failure)):
        assert "user-" in text
        assert [value for value in ("mallory", "203.0.113.9", "password=x") if value in text] == []


def test_failures_that_differ_in_numbers_only_are_one(caplog: pytest.LogCaptureFixture) -> None:
    bad = [BAD._replace(reason=f"{size} bytes at offset {7 * size}") for size in range(70_000, 70_500)]
    told = news()
    told.note_rejected(bad)
    (message,) = told.messages([], 1.0)
    assert (message.body["failure"]["lines"], message.body["failure"]["reason"]) == (500, bad[0].reason)
    with caplog.at_level(logging.WARNING):
        FailureLog(PRIVACY).note(bad)
    assert len(caplog.records) == 1


def test_a_failure_that_is_known_stays_itself_among_many_others() -> None:
    told = news()
    told.note_rejected([BAD, *(BAD._replace(reason="x" * number) for number in range(200))])
    told.note_rejected([BAD])
    failures = [one.body["failure"] for one in told.messages([], 1.0)]
    assert next(one for one in failures if one["reason"] == BAD.reason)["lines"] == 2
    assert len(failures) <= 102


def test_each_is_told_only_what_it_wants() -> None:
    told = news(send=["FailedProcessing"])
    told.note_cases([case()], 0.0)
    told.note_rejected([BAD])
    alert = Alert((("alertname", "LogwardenLoss"),), 0.0, "lost")
    assert [one.body["kind"] for one in told.messages([alert], 1.0)] == ["failure"]


def test_messages_are_sent_until_they_are_delivered_and_the_address_is_never_told(
    hook: Hook, caplog: pytest.LogCaptureFixture
) -> None:
    hook.status = 503
    webhook = Webhook("hook", hook.url, news())
    sender = WebhookSender([webhook], Rules("campus", AlertsSpec()), Counts, every=0.02)
    sender.note(Outcome(cases=[case()], rejected=[BAD]))
    wait_until(lambda: len(hook.keys) >= 2)
    assert webhook.problem == "status 503"
    hook.status = 204
    wait_until(lambda: len(hook.taken) == 2)
    sender.stop()
    assert {one["kind"] for one in hook.taken} == {"case", "failure"}
    assert hook.keys[0] == hook.keys[1], "the receiver can tell that it is the same message"
    assert "t0ps3cret" not in caplog.text
    assert "503" in caplog.text


@pytest.mark.parametrize(
    ("status", "given_up"), [(400, 2), (413, 2), (422, 2), (401, 0), (404, 0), (405, 0), (407, 0), (429, 0), (500, 0)]
)
def test_a_message_that_is_refused_for_good_is_given_up(
    hook: Hook, caplog: pytest.LogCaptureFixture, status: int, given_up: int
) -> None:
    hook.status = status
    webhook = Webhook("hook", hook.url, news())
    webhook.news.note_cases([case(name="c1"), case(name="c2")], 0.0)
    webhook.put(webhook.news.messages([], 1.0))
    with httpx.Client() as client:
        webhook.deliver(client, 1.0)
    assert (webhook.given_up, webhook.waiting) == (given_up, 2 - given_up)
    assert webhook.problem == ("" if given_up else f"status {status}")
    assert f"status {status}" in caplog.text


def test_trouble_after_a_refusal_is_told_too(hook: Hook, caplog: pytest.LogCaptureFixture) -> None:
    webhook = Webhook("hook", hook.url, news())
    with httpx.Client() as client:
        for number, status in enumerate((400, 503, 502)):
            hook.status = status
            webhook.news.note_cases([case(name=f"c{number}")], 0.0)
            webhook.put(webhook.news.messages([], 1.0))
            webhook.deliver(client, 100.0 * number)
    assert [f"status {status}" in caplog.text for status in (400, 503, 502)] == [True, True, True]


def test_a_webhook_that_is_slow_holds_up_no_other(hook: Hook) -> None:
    with serving() as slow:
        slow.free.clear()
        webhooks = [Webhook("slow", slow.url, news()), Webhook("hook", hook.url, news())]
        sender = WebhookSender(webhooks, Rules("campus", AlertsSpec()), Counts, every=0.02)
        sender.note(Outcome(cases=[case()]))
        wait_until(lambda: slow.keys and hook.taken)
        assert slow.taken == []
        slow.free.set()
        sender.stop()
    assert len(slow.taken) == 1


def test_what_waits_is_bounded_and_what_is_given_up_is_counted(hook: Hook) -> None:
    webhook = Webhook("hook", SecretStr("http://127.0.0.1:1/"), news())
    for number in range(MOST_WAITING + 5):
        webhook.news.note_cases([case(name=f"c{number}")], 0.0)
    webhook.put(webhook.news.messages([], 1.0))
    assert (webhook.waiting, webhook.given_up) == (MOST_WAITING, 5)


def test_what_is_not_delivered_at_the_end_is_said(caplog: pytest.LogCaptureFixture) -> None:
    webhook = Webhook("hook", SecretStr("http://127.0.0.1:1/?token=t0ps3cret"), news())
    sender = WebhookSender([webhook], Rules("campus", AlertsSpec()), Counts, every=0.02)
    sender.note(Outcome(cases=[case()]))
    wait_until(lambda: webhook.problem == "ConnectError")
    sender.stop()
    assert "1 messages for webhooks were not delivered" in caplog.text
    assert "t0ps3cret" not in caplog.text
