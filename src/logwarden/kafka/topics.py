"""Reaching a Kafka, its topics, and how far they go."""

from __future__ import annotations

import logging
import threading
import time
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec  # type: ignore[attr-defined]

from logwarden.api.base import duration_seconds
from logwarden.kafka.clients import new_client
from logwarden.kafka.errors import KafkaUnusableError, LastError, plain
from logwarden.kafka.settings import KafkaSettings

_REACH_SECONDS = 15.0
_ASK_SECONDS = 5.0
_REASON_SECONDS = 0.5
_EVERY_SECONDS = 1.0
_LATEST = OffsetSpec.latest()  # type: ignore[no-untyped-call]
_log = logging.getLogger(__name__)


def ensure_topics(settings: KafkaSettings) -> int:
    """Make the topics that are absent; return the number of partitions of the raw topic.

    Raises
    ------
    KafkaUnusableError
        If Kafka cannot be reached, or a topic is absent and must not be made.
    """
    last_error = LastError()
    admin = _admin(settings, last_error)
    known, brokers = _look(admin, settings, last_error)
    raw = settings.topic
    wanted = {raw.name: raw.partitions, raw.anomalies: 1, raw.dead_letters: 1}
    replicas = min(raw.replicas, brokers)
    keep = {"retention.ms": str(duration_seconds(raw.retention) * 1000)}
    absent = [NewTopic(name, count, replicas, config=keep) for name, count in wanted.items() if name not in known]
    if absent and replicas < raw.replicas:
        _log.warning("topics are made with %d of %d replicas: there are no more brokers", replicas, raw.replicas)
    futures = admin.create_topics(absent, operation_timeout=_REACH_SECONDS) if absent else {}
    for name, created in futures.items():
        try:
            created.result(2 * _REACH_SECONDS)
            _log.info("made topic %s", name)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise _cannot_make(name, settings, plain(error)) from None
        except TimeoutError:
            raise _cannot_make(name, settings, "no answer") from None
    return known.get(raw.name, raw.partitions)


def _admin(settings: KafkaSettings, last_error: LastError) -> AdminClient:
    return new_client(AdminClient, {**settings.client(), "error_cb": last_error})


def _look(admin: AdminClient, settings: KafkaSettings, last_error: LastError) -> tuple[dict[str, int], int]:
    """Return partitions by topic, and the number of brokers."""
    try:
        found = admin.list_topics(timeout=_REACH_SECONDS)
    except KafkaException as error:
        admin.poll(_REASON_SECONDS)  # hands the reasons to last_error
        reason = last_error.text or plain(error)
        raise KafkaUnusableError(f"cannot use Kafka at {settings.bootstrap_servers}: {reason}") from None
    return {name: len(topic.partitions) for name, topic in found.topics.items()}, len(found.brokers)


def _cannot_make(name: str, settings: KafkaSettings, reason: str) -> KafkaUnusableError:
    return KafkaUnusableError(
        f"topic {name} is absent at {settings.bootstrap_servers} and cannot be made ({reason}): "
        "make it, or let this user do it"
    )


class End(NamedTuple):
    """Where a partition ends, and when that was asked for (Unix seconds)."""

    end: int
    asked: float


class EndWatch:
    """Asks every second where partitions end, in a thread: for lag, and to know that there is nothing more to read."""

    def __init__(self, settings: KafkaSettings) -> None:
        self.ends: dict[int, End] = {}
        """By partition; replaced, never changed."""
        self.problem = ""
        self._settings = settings
        self._admin = _admin(settings, LastError())
        self._stale = False  # a client keeps the epochs of leaders for good, also those from before a restart
        self._wanted: list[int] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kafka-ends", daemon=True)
        self._thread.start()

    def watch(self, partitions: list[int]) -> None:
        """Ask for these partitions from now on."""
        self._wanted = partitions

    def stop(self) -> None:
        """Stop asking."""
        self._stop.set()
        self._thread.join(2 * _ASK_SECONDS)

    def _run(self) -> None:
        while not self._stop.wait(_EVERY_SECONDS):
            try:
                if self._stale:
                    self._admin = _admin(self._settings, LastError())
                    self._stale = False
                self.ends = self._ask(list(self._wanted))
                self.problem = ""
            except KafkaException as error:
                self.problem, self._stale = plain(error), True
            except TimeoutError:
                self.problem, self._stale = "no answer", True
            except Exception:
                _log.exception("the ends of the partitions could not be read")

    def _ask(self, partitions: list[int]) -> dict[int, End]:
        if not partitions:
            return {}
        asked = time.time()
        topic = self._settings.topic.name
        answers = self._admin.list_offsets(
            {TopicPartition(topic, number): _LATEST for number in partitions}, request_timeout=_ASK_SECONDS
        )
        return {at.partition: End(one.result(2 * _ASK_SECONDS).offset, asked) for at, one in answers.items()}
