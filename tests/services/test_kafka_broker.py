"""The broker that other tests rely on."""

from __future__ import annotations

from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer

from tests.services.kafka import Broker

pytestmark = pytest.mark.kafka


def test_a_killed_broker_comes_back_with_what_it_acknowledged(tmp_path: Path) -> None:
    broker = Broker(tmp_path / "kafka")
    broker.start()
    try:
        broker.create_topic("t")
        producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "acks": "all"})
        producer.produce("t", b"kept")
        assert producer.flush(30) == 0
        del producer
        broker.kill()
        broker.start()
        consumer = Consumer(
            {"bootstrap.servers": broker.bootstrap_servers, "group.id": "g", "auto.offset.reset": "earliest"}
        )
        consumer.subscribe(["t"])
        values = [message.value() for message in consumer.consume(1, timeout=30)]
        consumer.close()
    finally:
        broker.stop()
    assert values == [b"kept"]
