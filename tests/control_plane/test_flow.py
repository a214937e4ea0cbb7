"""FlowHealthy: what counters of pods add up to, and what a status says of it."""

from __future__ import annotations

import asyncio
import http.server
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from logwarden.api.log_pipeline import AlertsSpec
from logwarden.collector.stats import Stats
from logwarden.ingest.tally import Tally
from logwarden_operator import scrape
from logwarden_operator.conditions import Condition
from logwarden_operator.counts import Counts, reached_of
from logwarden_operator.flow import flow_condition, flow_fields, short
from logwarden_operator.ledger import Ledger
from logwarden_operator.ownership import Key
from logwarden_operator.scrape import Reading, Target
from tests.control_plane import exported

KEY = Key("LogPipeline", "netops", "campus")
BEGAN = 1_000_000.0
ALERTS = AlertsSpec()


def reading(component: str, text: str, uid: str = "", started: float = 0.0, problem: str = "") -> Reading:
    target = Target(KEY, component, f"{component}-{uid}", uid or component, started, ready=True, url="")
    return Reading(target, scrape.parse(text), problem)


def collector(received: int, written: int, queued: int = 0, dropped: int = 0, **more: Any) -> Reading:
    stats = Stats(Counter({"udp": received}), written=written, queued=queued, dropped=dropped)
    return reading("collector", exported.collector(stats), **more)


def detector(stored: int, rejected: int = 0, lost: int = 0, lag: int = 0, **more: Any) -> Reading:
    counts = {("stored", 0): stored, ("rejected", 0): rejected, ("lost", 0): lost}
    return reading("detector", exported.detector(counts, {0: lag}), **more)


def ingest(lines: int, acknowledged: int, refused: int = 0) -> Reading:
    tally = Tally()
    tally.lines["anyone", "lines"] += lines
    return reading("ingest", exported.ingest(tally, {"acknowledged": acknowledged, "refused": refused}))


def ledger(*rounds: list[Reading], every: float = 60.0) -> Ledger:
    found = Ledger(BEGAN)
    for number, readings in enumerate(rounds):
        found.add(readings, number * every)
    return found


def judged(*rounds: list[Reading], every: float = 60.0) -> Condition:
    return flow_condition(ledger(*rounds, every=every).samples, ALERTS)


def test_one_look_tells_nothing() -> None:
    assert judged([collector(100, 100), detector(100)]).status == "Unknown"


def test_what_was_counted_before_the_operator_looked_is_not_judged() -> None:
    found = judged([collector(10**6, 5), detector(0)], [collector(10**6 + 10, 15), detector(10)])
    assert (found.status, found.reason) == ("True", "Balanced")


def test_lines_in_order_are_healthy_and_the_status_has_their_rate() -> None:
    rounds = [[collector(n * 60_000, n * 60_000), detector(n * 59_000, rejected=n * 1000, lag=n)] for n in range(3)]
    assert judged(*rounds).reason == "Balanced"
    fields = flow_fields(ledger(*rounds).samples, {"received": 1})
    assert fields == {"received": "1k/s", "lag": 2, "traffic": {"received": 1}}


def test_nothing_comes_and_nothing_is_lost() -> None:
    assert judged([collector(5, 5)], [collector(5, 5)]).reason == "NothingReceived"


LOSSES = {
    "CollectorLoses": ([collector(0, 0)], [collector(1000, 900, dropped=100)], "100 dropped because the buffer"),
    "IngestLoses": ([ingest(0, 0)], [ingest(1000, 990, refused=10)], "Kafka refused 10 lines for good"),
    "KafkaLoses": ([detector(0)], [detector(900, lost=50)], "Kafka loses: it removed 50 lines"),
    "DetectorLoses": (
        [collector(0, 0), detector(0)],
        [collector(90_000, 90_000), detector(70_000)],
        "20,000 were neither judged nor dead letters",
    ),
    "KafkaTakesNothing": ([collector(0, 0)], [collector(300, 0, queued=300)], "300 wait before it"),
    "DetectorStands": (
        [collector(0, 0), detector(0)],
        [collector(9000, 9000), detector(0, lag=9000)],
        "9,000 lines wait in Kafka, and none was judged",
    ),
}


@pytest.mark.parametrize("reason", LOSSES)
def test_the_step_that_loses_is_named(reason: str) -> None:
    before, after, words = LOSSES[reason]
    found = judged(before, after, every=120)
    assert (found.status, found.reason) == ("False", reason)
    assert words in found.message


def test_kafka_that_goes_away_is_noticed_though_it_took_lines_before() -> None:
    rounds = [[collector(n * 100, n * 100), detector(n * 100)] for n in range(5)]
    rounds += [[collector(n * 100, 400, queued=n * 100 - 400), detector(400)] for n in range(5, 9)]
    assert judged(*rounds[:7], every=30).reason == "Balanced"
    assert judged(*rounds, every=30).reason == "KafkaTakesNothing"


def test_a_collector_whose_lines_vanish_is_named() -> None:
    found = judged([collector(0, 0)], [collector(50_000, 20_000, queued=10_000)])
    assert found.reason == "CollectorLoses"
    assert "20,000 neither written to Kafka nor kept in the buffer" in found.message


def test_as_much_loss_as_the_pipeline_bears_is_healthy() -> None:
    rounds = ([collector(0, 0)], [collector(100_000, 99_950, dropped=50)])
    assert judged(*rounds).holds
    assert not flow_condition(ledger(*rounds).samples, AlertsSpec(loss_percent=0.01)).holds


def test_a_pod_that_began_anew_loses_nothing() -> None:
    """Its counters begin at zero, and its buffer still holds what the one before received."""
    rounds = ([collector(5000, 1000, queued=4000)], [collector(10, 0, queued=4010)], [collector(20, 4030, queued=0)])
    found = ledger(*rounds)
    assert flow_condition(found.samples, ALERTS).reason == "Balanced"
    assert found.samples[-1].totals.received == 20


def test_a_killed_detector_whose_counts_are_gone_raises_no_alarm() -> None:
    first = [collector(0, 0), detector(0, uid="a")]
    second = [collector(90_000, 90_000), detector(10_000, uid="b", started=BEGAN + 60)]
    assert judged(first, second).reason == "Balanced"


def test_a_backlog_is_no_loss() -> None:
    rounds = ([collector(0, 0), detector(0)], [collector(90_000, 90_000), detector(10, lag=90_100)])
    assert judged(*rounds).reason == "Balanced"


def test_a_pod_that_cannot_be_read_is_named() -> None:
    silent = reading("detector", "", problem="no answer within 3 s")
    found = judged([collector(0, 0), silent], [collector(5, 5), silent])
    assert (found.status, found.reason) == ("Unknown", "MetricsUnreadable")
    assert "detector-: no answer within 3 s" in found.message


def test_old_samples_are_forgotten() -> None:
    found = ledger(*([collector(n, n)] for n in range(30)))
    assert found.samples[-1].time - found.samples[0].time <= 600


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.42, "0.42"), (7.13, "7.1"), (119.7, "120"), (3432, "3.4k"), (12_600_000, "13M")]
)
def test_numbers_for_a_table_are_short(value: float, text: str) -> None:
    assert short(value) == text


def test_a_status_is_written_when_it_says_something_else_and_totals_once_a_minute() -> None:
    counts = Counts()
    counts.flow(KEY, ALERTS, {"status": {"traffic": {"received": 1000}}})
    changes = []
    for second in range(0, 150, 15):
        lines = second * 10
        changes.append(bool(counts.add([collector(lines, lines), detector(lines)], float(second))))
    assert changes == [False, True, False, False, False, True, False, False, False, True]
    shown = counts.flow(KEY, ALERTS, {})
    assert shown.fields["traffic"]["received"] == 1000 + 1350
    assert shown.fields["received"] == "10/s"
    counts.forget(KEY)
    assert counts.flow(KEY, ALERTS, {}).condition.reason == "NotMeasured"


def test_numbers_of_pods_that_are_gone_leave_the_status() -> None:
    counts = Counts()
    counts.flow(KEY, ALERTS, {"status": {"received": "9/s", "lag": 4}})
    assert counts.add([], 0.0) == {KEY}
    assert counts.flow(KEY, ALERTS, {}).fields == {"received": None, "lag": None}
    assert counts.add([], 15.0) == set()


def test_how_far_a_training_is() -> None:
    reached = reached_of(scrape.parse(exported.training(0.457, 123.4)))
    assert reached is not None
    assert (reached.step, reached.percent, reached.remaining) == ("fine-tuning", 45, 120)
    assert reached_of({}) is None


def pod(address: str, port: int, phase: str = "Running") -> dict[str, Any]:
    labels = {
        "logwarden.dev/owner-kind": "LogPipeline",
        "logwarden.dev/owner-name": "campus",
        "logwarden.dev/owner-namespace": "netops",
        "app.kubernetes.io/component": "collector",
    }
    return {
        "metadata": {"name": "p", "namespace": "netops", "uid": "u", "labels": labels},
        "spec": {"containers": [{"name": "a"}, {"name": "b", "ports": [{"name": "metrics", "containerPort": port}]}]},
        "status": {"phase": phase, "podIP": address, "startTime": "2026-11-25T10:00:00Z"},
    }


@contextmanager
def serving(text: bytes, status: int = 200) -> Iterator[int]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def asked(port: int) -> Reading:
    return asyncio.run(scrape.scrape(scrape.targets([pod("127.0.0.1", port)])))[0]


def test_a_pod_is_asked_at_its_own_address() -> None:
    with serving(exported.collector(Stats(Counter({"udp": 5, "tls": 4}), written=9)).encode()) as port:
        found = asked(port)
    assert (found.values[scrape.RECEIVED], found.values[scrape.WRITTEN]) == (9, 9)
    assert found.target.owner == KEY


@pytest.mark.parametrize(
    ("text", "status", "problem"),
    [(b"", 503, "HTTP 503"), (b"", 302, "HTTP 302"), (b"x" * (4 * 1024**2 + 1), 200, "more than 4 MiB of metrics")],
)
def test_an_answer_that_is_of_no_use_is_a_problem_in_words(text: bytes, status: int, problem: str) -> None:
    with serving(text, status) as port:
        assert asked(port).problem == problem


def test_a_closed_port_is_a_problem_in_words() -> None:
    assert asked(1).problem == "ClientConnectorError"


def test_garbage_counts_nothing() -> None:
    assert scrape.parse(f"{scrape.STORED} NaN\n{scrape.STORED} many\n\x00{{\n{scrape.LAG}") == {}


def test_only_running_pods_with_such_a_port_are_asked() -> None:
    waiting, bare = pod("10.0.0.1", 9090, "Pending"), pod("10.0.0.1", 9090)
    bare["spec"]["containers"] = [{"name": "a"}]
    assert scrape.targets([waiting, bare]) == []
    assert scrape.targets([pod("fd00::1", 9090)])[0].url == "http://[fd00::1]:9090/metrics"
