"""What is written once stays written once, whatever is repeated or killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from logwarden.api.record import Explanation, Verdict
from logwarden.outcome import Activity, Outcome, RejectedLine
from logwarden.store import Store
from logwarden.store.store import StoreError
from tests.store.builders import NOON, case, record

REJECTED = RejectedLine("file:/x", 7, 1700000000.25, "192.0.2.9", "no text", "\udcff\x00<")


def outcome() -> Outcome:
    return Outcome(
        records=[record(1), record(2)],
        cases=[case(anomalies=1), case(anomalies=2)],
        rejected=[REJECTED],
        activity=[Activity(1700000000, "r1", 5), Activity(1700000000, "r1", 2), Activity(1700000010, "r2", 1)],
        lines=8,
        units=3,
    )


@pytest.fixture
def store(place: str) -> Iterator[Store]:
    with Store.open(place) as store:
        yield store


def test_a_record_comes_back_exactly_as_it_was_written(store: Store) -> None:
    store.commit(outcome(), consumer="c", positions={})
    assert store.anomaly("a00000001") == record(1)
    assert store.anomaly("other") is None


def test_a_repeated_step_adds_no_records_cases_or_rejected_lines(store: Store) -> None:
    for _ in range(3):
        store.commit(outcome(), consumer="c", positions={"netlogs/0": 9})
    totals = store.totals()
    assert (totals.anomalies, totals.cases, totals.rejected) == (2, 1, 1)
    assert store.case("c1") == case(anomalies=2)
    assert store.checkpoint("c").positions == {"netlogs/0": 9}


def test_a_repeated_record_keeps_feedback_better_explanation_and_time_of_detection(store: Store) -> None:
    store.commit(outcome(), consumer="c", positions={})
    better = Explanation(text="BGP session to the uplink was lost.", backend="openai", faithful=True)
    assert store.set_explanation("a00000001", better)
    assert store.set_feedback("a00000001", Verdict.TRUE_ANOMALY)
    again = record(1, detected=NOON + timedelta(days=1), case_id="c2", score=0.95)
    store.commit(Outcome(records=[again]), consumer="c", positions={})
    kept = store.anomaly("a00000001")
    assert kept == record(1, case_id="c2", score=0.95, explanation=better, feedback=Verdict.TRUE_ANOMALY)


def test_a_better_explanation_in_a_repeated_record_replaces_the_plain_one(store: Store) -> None:
    store.commit(outcome(), consumer="c", positions={})
    better = Explanation(text="Holdtimer zebra.", backend="builtin", faithful=True)
    store.commit(Outcome(records=[record(1, explanation=better)]), consumer="c", positions={})
    kept = store.anomaly("a00000001")
    assert kept is not None
    assert kept.explanation == better


def test_explanation_and_feedback_of_an_unknown_anomaly_say_so(store: Store) -> None:
    assert not store.set_feedback("nothing", Verdict.FALSE_ALARM)
    assert not store.set_explanation("nothing", Explanation(text="x", backend="plain", faithful=True))


def test_feedback_can_be_taken_back(store: Store) -> None:
    store.commit(outcome(), consumer="c", positions={})
    store.set_feedback("a00000001", Verdict.FALSE_ALARM)
    store.set_feedback("a00000001", None)
    assert store.anomaly("a00000001") == record(1)


def test_activity_and_counters_add_up(store: Store) -> None:
    store.commit(outcome(), consumer="c", positions={})
    store.commit(Outcome(activity=[Activity(1700000000, "r1", 1)], lines=1), consumer="c", positions={})
    assert [point.lines for point in store.activity(bucket_seconds=10)] == [8, 1]
    assert [point.lines for point in store.activity(bucket_seconds=60)] == [9]
    assert {host.host: host.lines for host in store.top_hosts()} == {"r1": 8, "r2": 1}
    assert store.totals().lines == 9
    assert store.totals().units == 3


def test_checkpoints_of_consumers_are_apart_and_streams_that_did_not_move_stay(store: Store) -> None:
    store.commit(Outcome(), consumer="a", positions={"x": 1, "y": 2}, state=b"one")
    store.commit(Outcome(), consumer="b", positions={"x": 7})
    store.commit(Outcome(), consumer="a", positions={"x": 5})
    assert store.checkpoint("a").positions == {"x": 5, "y": 2}
    assert store.checkpoint("a").state == b"one"
    assert store.checkpoint("b").positions == {"x": 7}
    assert store.checkpoint("b").state is None
    assert store.checkpoint("new").positions == {}


def test_bytes_that_are_not_text_are_kept_readable(store: Store) -> None:
    odd = record(1, text="caf\udce9 \x00 \udcff end", host="r\udcfe")
    store.commit(Outcome(records=[odd], rejected=[REJECTED]), consumer="c", positions={"f\udcff": 1})
    kept = store.anomaly(odd.id)
    assert kept is not None
    assert kept.lines[0].text == "caf\\xe9 \\x00 \\xff end"
    assert kept.start == odd.start
    (row,) = store.rejected()
    assert row.text == "\\xff\\x00<"
    assert row.received == datetime.fromtimestamp(1700000000.25, UTC)


def test_a_failed_step_leaves_nothing_behind(store: Store) -> None:
    token = store.change_token()
    broken = outcome()
    broken.activity.append(Activity(10, "r1", 2**70))
    with pytest.raises((StoreError, OverflowError)):
        store.commit(broken, consumer="c", positions={"x": 1})
    assert store.totals().anomalies == 0
    assert store.checkpoint("c").positions == {}
    assert store.change_token() == token


def test_the_change_token_grows_only_when_something_changed(store: Store) -> None:
    tokens = [store.change_token()]
    store.commit(outcome(), consumer="c", positions={})
    tokens.append(store.change_token())
    store.set_feedback("a00000001", Verdict.FALSE_ALARM)
    tokens.append(store.change_token())
    assert tokens == sorted(set(tokens))
    store.commit(Outcome(), consumer="c", positions={"x": 3})
    store.set_feedback("nothing", Verdict.FALSE_ALARM)
    assert store.change_token() == tokens[-1]


def test_retention_removes_what_was_stored_before_and_nothing_else(store: Store) -> None:
    store.commit(
        Outcome(
            records=[record(number) for number in range(1200)],
            cases=[case("old")],
            rejected=[REJECTED],
            activity=[Activity(10, "r1", 1)],
            lines=1200,
        ),
        consumer="c",
        positions={"x": 1},
    )
    time.sleep(0.01)
    middle = datetime.now(UTC)
    time.sleep(0.01)
    store.commit(Outcome(records=[record(5000)], cases=[case("new")]), consumer="c", positions={})
    pruned = store.prune(middle)
    assert (pruned.anomalies, pruned.cases, pruned.rejected, pruned.activity) == (1200, 1, 1, 1)
    assert [item.id for item in store.anomalies()] == ["a00005000"]
    assert [item.id for item in store.cases()] == ["new"]
    assert store.checkpoint("c").positions == {"x": 1}
    assert store.totals().lines == 1200
    assert store.count() == 1


WRITER = """
import sys
sys.path.insert(0, sys.argv[2])
from tests.store.builders import case, record
from logwarden.outcome import Activity, Outcome
from logwarden.store import Store

store = Store.open(sys.argv[1])
step = store.checkpoint("c").positions.get("s", 0)
while True:
    outcome = Outcome(
        records=[record(step * 10 + i) for i in range(10)], activity=[Activity(1000, "r1", 10)], lines=10
    )
    step += 1
    store.commit(outcome, consumer="c", positions={"s": step}, state=str(step).encode())
    print(step, flush=True)
"""


def test_a_killed_writer_leaves_results_and_checkpoint_that_agree(place: str) -> None:
    confirmed = 0
    for round_number in range(5):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, place, str(Path(__file__).parents[2])], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        target = confirmed + 2 + 3 * round_number
        while confirmed < target:
            confirmed = int(writer.stdout.readline())
        time.sleep(0.003 * round_number)
        os.kill(writer.pid, signal.SIGKILL)
        rest = writer.stdout.read().split("\n")
        confirmed = max([confirmed, *(int(line) for line in rest[:-1] if line)])
        writer.wait()
        writer.stdout.close()
        with Store.open(place) as store:
            checkpoint = store.checkpoint("c")
            steps = checkpoint.positions["s"]
            assert steps >= confirmed
            assert checkpoint.state == str(steps).encode()
            assert store.totals().lines == store.totals().anomalies == steps * 10
            assert sum(point.lines for point in store.activity()) == steps * 10
        confirmed = steps


def test_two_processes_write_and_read_at_once(place: str) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, place, str(Path(__file__).parents[2])], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    try:
        assert int(writer.stdout.readline()) == 1
        with Store.open(place) as store:
            seen = 0
            for _ in range(20):
                records = store.anomalies(limit=5)
                assert store.set_feedback(records[0].id, Verdict.TRUE_ANOMALY)
                totals = store.totals()
                assert totals.anomalies == totals.lines >= seen
                seen = totals.anomalies
            assert seen > 10
            assert store.anomaly(records[0].id).feedback is Verdict.TRUE_ANOMALY  # type: ignore[union-attr]
    finally:
        writer.kill()
        writer.wait()
        writer.stdout.close()


def test_many_processes_may_create_the_same_store_at_once(place: str) -> None:
    code = (
        "import sys\nfrom logwarden.outcome import Activity, Outcome\nfrom logwarden.store import Store\n"
        "store = Store.open(sys.argv[1])\n"
        "for _ in range(20): store.commit(Outcome(lines=1), consumer=sys.argv[2], positions={})\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, place, str(number)]) for number in range(4)]
    assert [process.wait() for process in running] == [0] * 4
    with Store.open(place) as store:
        assert store.totals().lines == 80


def test_the_record_as_json_is_the_same_before_and_after(store: Store) -> None:
    store.commit(outcome(), consumer="c", positions={})
    kept = store.anomaly("a00000002")
    assert kept is not None
    assert json.dumps(kept.to_json()) == json.dumps(record(2).to_json())
