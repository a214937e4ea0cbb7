"""The producer against a real broker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import wait
from pathlib import Path
from time import monotonic, sleep

import pytest
from confluent_kafka import Consumer, Message

from logwarden.api.log_pipeline import TopicSpec
from logwarden.errors import LogwardenError
from logwarden.kafka import envelope
from logwarden.kafka.errors import KafkaUnusableError
from logwarden.kafka.producer import Producer
from logwarden.kafka.settings import KafkaSettings
from tests.services.kafka import Broker

pytestmark = pytest.mark.kafka
SECONDS = 60.0


def settings(broker: Broker, topic: str) -> KafkaSettings:
    return KafkaSettings(broker.bootstrap_servers, TopicSpec(name=topic), "g")


def read_all(broker: Broker, topic: str, count: int) -> list[Message]:
    """Return messages until there are ``count`` of them."""
    consumer = Consumer(
        {"bootstrap.servers": broker.bootstrap_servers, "group.id": topic, "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    found: list[Message] = []
    until = monotonic() + SECONDS
    while len(found) < count and monotonic() < until:
        found += [message for message in consumer.consume(1000, timeout=1.0) if message.error() is None]
    consumer.close()
    return found


def wait_until(true: Callable[[], object]) -> None:
    until = monotonic() + SECONDS
    while not true():
        assert monotonic() < until
        sleep(0.05)


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker that a test may kill."""
    broker = Broker(tmp_path / "kafka")
    broker.start()
    yield broker
    broker.stop()


def test_acknowledged_lines_are_in_the_topic_and_those_of_a_device_in_order_in_one_partition(broker: Broker) -> None:
    broker.create_topic("produced", partitions=3)
    with Producer(settings(broker, "produced")) as producer:
        for start in range(0, 100, 10):
            lines = [b"line %d" % number for number in range(start, start + 10)]
            producer.append("udp", lines, [f"10.0.0.{number % 7}" for number in range(start, start + 10)])
        producer.durable().result(SECONDS)
        assert producer.counts["acknowledged"] == 100
        assert (producer.waiting, producer.problem, producer.crowded) == (0, "", False)
        assert producer.durable().done()
    found = read_all(broker, "produced", 100)
    read = [envelope.decode(one.value(), key=one.key(), written=0.0) for one in found]
    assert sorted(line.text for line in read) == sorted(f"line {number}" for number in range(100))
    for device in range(7):
        mine = [(one, line) for one, line in zip(found, read, strict=True) if line.peer == f"10.0.0.{device}"]
        assert len({one.partition() for one, _ in mine}) == 1
        numbers = [int(line.text.split()[1]) for _, line in sorted(mine, key=lambda pair: pair[0].offset())]
        assert numbers == sorted(numbers)


def test_lines_sent_while_kafka_is_away_arrive_once_when_it_is_back(own_broker: Broker) -> None:
    own_broker.create_topic("away")
    with Producer(settings(own_broker, "away"), waiting_bytes=5000) as producer:
        producer.append("udp", [b"before"], "p")
        producer.durable().result(SECONDS)
        own_broker.kill()
        producer.append("udp", [b"while %d" % number for number in range(50)], "p")
        promise = producer.durable()
        wait_until(lambda: "does not take lines" in producer.problem)
        assert producer.crowded
        assert not promise.done()
        own_broker.start()
        promise.result(SECONDS)
        assert not producer.crowded
        wait_until(lambda: not producer.problem)
    values = [envelope.decode(one.value(), key=None, written=0.0).text for one in read_all(own_broker, "away", 51)]
    assert values == ["before", *(f"while {number}" for number in range(50))]


def test_lines_wait_until_the_topic_is_there(broker: Broker) -> None:
    with Producer(settings(broker, "made-later")) as producer:
        producer.append("udp", [b"early"], "p")
        promise = producer.durable()
        wait_until(lambda: "does not take lines" in producer.problem)
        broker.create_topic("made-later")
        promise.result(SECONDS)
    assert len(read_all(broker, "made-later", 1)) == 1


def test_what_was_not_delivered_at_the_end_is_told(tmp_path: Path) -> None:
    producer = Producer(KafkaSettings("127.0.0.1:1", TopicSpec(), "g"))
    producer.__enter__()
    producer.append("udp", [b"lost"] * 3, "p")
    promise = producer.durable()
    with pytest.raises(KafkaUnusableError, match=r"^3 lines were not delivered to Kafka at 127.0.0.1:1: .*refused"):
        producer.close(timeout=3.0)
    assert wait([promise], 1.0).done
    assert isinstance(promise.exception(), KafkaUnusableError)
    with pytest.raises(LogwardenError, match="closed"):
        producer.append("udp", [b"x"])
