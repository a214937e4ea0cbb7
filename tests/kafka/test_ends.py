"""Where partitions end is known again after a broker was away."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from logwarden.api.log_pipeline import TopicSpec
from logwarden.kafka.settings import KafkaSettings
from logwarden.kafka.topics import EndWatch
from tests.services.kafka import Broker

SECONDS = 90.0


def eventually(holds: Callable[[], bool], watch: EndWatch) -> None:
    until = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < until, f"{watch.problem!r} {watch.ends}"
        time.sleep(0.1)


@pytest.mark.kafka
def test_ends_are_asked_for_again_after_a_broker_was_shut_down(tmp_path: Path) -> None:
    """A shut-down broker hands its leaderships on and comes back with new epochs; one that is killed keeps them."""
    broker = Broker(tmp_path / "kafka")
    broker.start()
    broker.create_topic("ends", 2)
    watch = EndWatch(KafkaSettings(broker.bootstrap_servers, TopicSpec(name="ends"), "test"))
    try:
        watch.watch([0, 1])
        eventually(lambda: set(watch.ends) == {0, 1}, watch)
        broker.stop()
        eventually(lambda: bool(watch.problem), watch)
        broker.start()
        back = time.time()
        eventually(lambda: not watch.problem and min(one.asked for one in watch.ends.values()) > back, watch)
    finally:
        watch.stop()
        broker.stop()


def test_ends_are_asked_for_again_after_a_client_could_not_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    class Client:
        def list_offsets(self, *_: object, **__: object) -> None:
            raise TimeoutError

    made: list[Client] = []

    def make(*_: object) -> Client:
        made.append(Client())
        if len(made) == 2:
            raise MemoryError
        return made[-1]

    monkeypatch.setattr("logwarden.kafka.topics._admin", make)
    monkeypatch.setattr("logwarden.kafka.topics._EVERY_SECONDS", 0.01)
    watch = EndWatch(KafkaSettings("nowhere:9092", TopicSpec(name="ends"), "test"))
    try:
        watch.watch([0])
        eventually(lambda: len(made) > 3, watch)
    finally:
        watch.stop()
