"""Detectors that share a topic, are killed, and lose their broker: no line is lost or counted twice."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka import Producer as ConfluentProducer
from jsonschema import Draft202012Validator

from logwarden.kafka.producer import Producer
from logwarden.store import Store
from tests.local.conftest import contents
from tests.services.kafka import ROOT, Broker

from .conftest import (
    SECONDS,
    Rows,
    Start,
    lines_in,
    network,
    produce,
    read_all,
    settings_for,
    wait_until,
    write_pipeline,
)

pytestmark = pytest.mark.kafka


def judged(store: Path, last: float) -> dict[str, Any]:
    """Return what a store holds of the windows that lines alone have closed, by ``last`` (Unix seconds)."""
    found = contents(store)
    found["records"] = [record for record in found["records"] if record["end"] < last - 30]
    assert found["records"], "nothing was found that could be compared"
    if time.time() > last:  # real time has closed windows, in one run perhaps earlier than in the other
        del found["cases"], found["units"]
    return found


def assert_same(store: Path, whole: Path, last: float) -> None:
    one, other = judged(store, last), judged(whole, last)
    for part in one.keys() & other.keys():
        assert one[part] == other[part]


def last_of_each_partition(rows: Rows) -> float:
    """Return when the first of the three partitions has its last line: real time closes windows from then on."""
    last = {crc32(peer.encode()) % 3: at for at, _, peer in rows}
    assert len(last) == 3
    return min(last.values())


def counted(store: Path, topic: str) -> int:
    """Return the lines by what became of them, from the ledger."""
    with Store.open(store, read_only=True) as opened:
        kinds = (f"scored/{topic}/", f"rejected/{topic}/", f"lost/{topic}/")
        return sum(value for kind in kinds for value in opened.counters(kind).values())


def test_kills_and_a_second_detector_change_nothing(broker: Broker, detector: Start, tmp_path: Path) -> None:
    rows = network(time.time() - 330, minutes=9, filler=60_000)
    last = last_of_each_partition(rows)
    broker.create_topic("killed", partitions=3)
    produce(broker, "killed", rows)
    file = write_pipeline(tmp_path, broker, "killed")

    one = detector(file, tmp_path / "whole.db")
    wait_until(lambda: lines_in(tmp_path / "whole.db") == len(rows))
    one.stop()

    store = tmp_path / "killed.db"
    for least in (1, 5_000):
        victim = detector(file, store)
        wait_until(lambda least=least: lines_in(store) >= least)
        victim.kill()
    assert lines_in(store) < len(rows), "killed too late to prove anything"
    two = [detector(file, store) for _ in range(2)]
    wait_until(lambda: lines_in(store) >= 20_000)
    two[0].kill()
    wait_until(lambda: lines_in(store) == len(rows))
    two[1].stop()

    assert lines_in(store) == counted(store, "killed") == len(rows)
    assert_same(store, tmp_path / "whole.db", last)
    with Store.open(store, read_only=True) as opened:
        stored = {record.id for record in opened.anomalies(limit=1000)}
    sent = [json.loads(message.value() or b"") for message in read_all(broker, "killed-anomalies", len(stored))]
    assert stored <= {record["id"] for record in sent}
    schema = json.loads((ROOT / "docs/reference/anomaly-record.schema.json").read_text())
    for record in sent:
        Draft202012Validator(schema).validate(record)


def test_partitions_move_between_detectors_with_what_was_learned(
    broker: Broker, detector: Start, tmp_path: Path
) -> None:
    rows = network(time.time(), minutes=4, filler=3000)
    last, third = last_of_each_partition(rows), len(rows) // 3
    broker.create_topic("moved", partitions=3)
    file = write_pipeline(tmp_path, broker, "moved")
    produce(broker, "moved", rows[:third])
    first = detector(file, tmp_path / "moved.db")
    wait_until(lambda: lines_in(tmp_path / "moved.db") == third)
    second = detector(file, tmp_path / "moved.db")
    wait_until(lambda: second.said("reading on at offset"))
    produce(broker, "moved", rows[third : 2 * third])
    wait_until(lambda: lines_in(tmp_path / "moved.db") == 2 * third)
    first.stop()
    produce(broker, "moved", rows[2 * third :])
    wait_until(lambda: lines_in(tmp_path / "moved.db") == len(rows))
    second.stop()

    alone = detector(file, tmp_path / "whole.db")
    wait_until(lambda: lines_in(tmp_path / "whole.db") == len(rows))
    alone.stop()
    assert_same(tmp_path / "moved.db", tmp_path / "whole.db", last)
    assert counted(tmp_path / "moved.db", "moved") == len(rows)


def test_a_broker_that_dies_and_comes_back_costs_no_line(own_broker: Broker, detector: Start, tmp_path: Path) -> None:
    file = write_pipeline(tmp_path, own_broker, "away")
    running = detector(file, tmp_path / "away.db", "--metrics-port", "0")  # it makes the topics
    wait_until(lambda: running.said("reading on at offset"))
    sent = 0
    with Producer(settings_for(own_broker, "away")) as producer:

        def send(count: int) -> None:
            nonlocal sent
            lines = [b"<13>h%d app: number %d" % (number % 5, number) for number in range(sent, sent + count)]
            producer.append("udp", lines, [f"10.0.0.{number % 5}" for number in range(sent, sent + count)])
            sent += count

        send(5000)
        wait_until(lambda: lines_in(tmp_path / "away.db") > 0)
        send(5000)
        own_broker.kill()
        send(5000)
        time.sleep(3)
        own_broker.start()
        send(5000)
        producer.durable().result(SECONDS)
    wait_until(lambda: lines_in(tmp_path / "away.db") >= sent)
    running.stop()
    assert lines_in(tmp_path / "away.db") == counted(tmp_path / "away.db", "away") == sent


def test_marks_of_transactions_are_no_lines_and_no_lag(broker: Broker, detector: Start, tmp_path: Path) -> None:
    """A collector writes in transactions, whose marks take offsets of their own."""
    file = write_pipeline(tmp_path, broker, "transactions")
    broker.create_topic("transactions", partitions=3)
    collector = ConfluentProducer({"bootstrap.servers": broker.bootstrap_servers, "transactional.id": "collector"})
    collector.init_transactions(SECONDS)
    for number in range(10):
        collector.begin_transaction()
        for device in range(30):
            collector.produce("transactions", b"<13>h app: good %d" % number, b"10.0.0.%d" % device)
        if number == 5:
            collector.abort_transaction(SECONDS)
        else:
            collector.commit_transaction(SECONDS)
    running = detector(file, tmp_path / "store.db")
    wait_until(lambda: lines_in(tmp_path / "store.db") == 270)
    running.stop()
    assert counted(tmp_path / "store.db", "transactions") == 270
    client = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "logwarden-test"})
    partitions = [TopicPartition("transactions", number) for number in range(3)]
    ends = [client.get_watermark_offsets(one, timeout=SECONDS) for one in partitions]
    assert [one.offset for one in client.committed(partitions, SECONDS)] == [end and end[1] for end in ends]
    client.close()


def test_health_and_metrics_tell_what_a_detector_does(broker: Broker, detector: Start, tmp_path: Path) -> None:
    file = write_pipeline(tmp_path, broker, "measured")
    running = detector(file, tmp_path / "measured.db", "--metrics-port", "0")
    wait_until(lambda: running.said("metrics  http"))
    address = next(line.split()[1] for line in running.output if "metrics  http" in line)

    def get(path: str) -> str:
        with urllib.request.urlopen(address.replace("/metrics", path), timeout=10) as answer:
            return str(answer.read().decode())

    wait_until(lambda: running.said("reading on at offset"))
    assert get("/healthz") == get("/readyz") == "ok\n"
    produce(broker, "measured", network(time.time() - 60, minutes=1, filler=100))
    total = len(network(0.0, minutes=1, filler=100))
    wait_until(lambda: lines_in(tmp_path / "measured.db") == total)
    wait_until(lambda: f'seconds_count{{pipeline="test"}} {total}.0' in get("/metrics"))
    wait_until(lambda: get("/metrics").count("logwarden_lag_lines{") == 3)  # asked for once a second
    metrics = get("/metrics").splitlines()
    stored = [line for line in metrics if line.startswith("logwarden_lines_stored_total{")]
    assert sum(float(line.split()[-1]) for line in stored) == total
    assert [line.split()[-1] for line in metrics if line.startswith("logwarden_lag_lines{")] == ["0.0"] * 3
    with pytest.raises(urllib.error.HTTPError):
        get("/other")
    running.stop()
