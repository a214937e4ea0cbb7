"""Anomalies and dead letters on their way to Kafka."""

from __future__ import annotations

from collections.abc import Iterable

import confluent_kafka
import orjson
from confluent_kafka import KafkaError, KafkaException, Message

from logwarden.api.record import AnomalyRecord
from logwarden.kafka.errors import KafkaUnusableError, LastError, plain
from logwarden.kafka.settings import KafkaSettings

TOPIC, PARTITION, OFFSET, TIMESTAMP, ERROR = (
    "original-topic",
    "original-partition",
    "original-offset",
    "original-timestamp",
    "error",
)
"""Headers of a dead letter. The timestamp is that of the message in milliseconds."""

_CONFIG = {
    "acks": "all",
    "enable.idempotence": True,
    "compression.type": "lz4",
    "linger.ms": 5,
    "message.timeout.ms": 10_000,
}
_FLUSH_SECONDS = 15.0
_LONGEST_ERROR = 1000


class Publisher:
    """Sends results and returns when Kafka has them. What is sent twice has the same id or origin both times."""

    def __init__(self, settings: KafkaSettings) -> None:
        self.anomalies = 0
        self.dead_letters = 0
        self._settings = settings
        self._last_error = LastError()
        self._client = self._new_client()
        self._failure = ""

    def publish(self, records: Iterable[AnomalyRecord], dead: Iterable[tuple[Message, str]]) -> None:
        """Send anomaly records, and messages that could not be processed with the reason.

        Raises
        ------
        KafkaUnusableError
            If Kafka has not acknowledged all of them in time. It is safe to send the same again.
        """
        if self._last_error.fatal:
            self._last_error = LastError()
            self._client = self._new_client()
        self._failure = ""
        sent, letters = 0, 0
        try:
            for sent, record in enumerate(records, start=1):  # noqa: B007 - the last count is used below
                value = orjson.dumps(record.to_json())
                self._client.produce(
                    self._settings.topic.anomalies, value, record.id.encode(), on_delivery=self._delivered
                )
            for letters, (message, reason) in enumerate(dead, start=1):  # noqa: B007
                self._bury(message, reason)
        except (BufferError, KafkaException) as error:
            self._failure = plain(error) if isinstance(error, KafkaException) else "its queue is full"
        if sent or letters:
            self._wait()
        self.anomalies += sent
        self.dead_letters += letters

    def _bury(self, message: Message, reason: str) -> None:
        headers: list[tuple[str, str | bytes | None]] = [
            (TOPIC, str(message.topic())),
            (PARTITION, str(message.partition())),
            (OFFSET, str(message.offset())),
            (TIMESTAMP, str(message.timestamp()[1])),
            (ERROR, reason[:_LONGEST_ERROR].encode("utf-8", "backslashreplace")),
        ]
        self._client.produce(
            self._settings.topic.dead_letters,
            message.value(),
            message.key(),
            headers=headers,
            on_delivery=self._delivered,
        )

    def _wait(self) -> None:
        left = self._client.flush(_FLUSH_SECONDS)
        if left:
            self._client.purge()
            self._client.flush(1.0)
            self._failure = self._last_error.text or "no answer"
        if self._failure:
            raise KafkaUnusableError(
                f"Kafka at {self._settings.bootstrap_servers} does not take results: {self._failure}"
            )

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None and not self._failure:
            self._failure = f"topic {message.topic()}: {plain(error)}"

    def _new_client(self) -> confluent_kafka.Producer:
        return confluent_kafka.Producer({**self._settings.client(), **_CONFIG, "error_cb": self._last_error})
