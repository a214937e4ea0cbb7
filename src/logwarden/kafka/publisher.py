"""Anomalies and dead letters on their way to Kafka."""

from __future__ import annotations

from collections.abc import Iterable

import confluent_kafka
import orjson
from confluent_kafka import KafkaError, KafkaException, Message

from logwarden.api.record import AnomalyRecord
from logwarden.kafka.clients import new_client
from logwarden.kafka.errors import KafkaUnusableError, LastError, plain
from logwarden.kafka.settings import KafkaSettings
from logwarden.sources.base import KEPT_OF_REJECTED

MAX_MESSAGE_BYTES = 10_000_000
"""Larger ones are not sent; the brokers have a limit of their own."""
TOPIC, PARTITION, OFFSET, TIMESTAMP, ERROR, CUT_FROM = (
    "original-topic",
    "original-partition",
    "original-offset",
    "original-timestamp",
    "error",
    "cut-from",
)
"""Headers of a dead letter. The timestamp is that of the message in milliseconds. One that Kafka does not take
whole tells how many bytes it had, and holds the first of them."""

_CONFIG = {
    "acks": "all",
    "enable.idempotence": True,
    "compression.type": "lz4",
    "linger.ms": 5,
    "message.timeout.ms": 10_000,
    "message.max.bytes": MAX_MESSAGE_BYTES,
}
_FLUSH_SECONDS = 15.0
_LONGEST_ERROR = 1000


class Publisher:
    """Sends results and returns when Kafka has them. What is sent twice has the same id or origin both times."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._last_error = LastError()
        self._client = self._new_client()
        self._failure = ""
        self._too_large: list[tuple[Message, str]] = []

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
        self._too_large.clear()
        try:
            for record in records:
                value = orjson.dumps(record.to_json())
                self._client.produce(
                    self._settings.topic.anomalies, value, record.id.encode(), on_delivery=self._delivered
                )
            for message, reason in dead:
                self._bury(message, reason)
            self._flush()
            for message, reason in self._too_large:
                self._bury(message, reason, cut=True)
        except (BufferError, KafkaException) as error:
            self._failure = plain(error) if isinstance(error, KafkaException) else "its queue is full"
        self._flush()
        if self._failure:
            raise KafkaUnusableError(
                f"Kafka at {self._settings.bootstrap_servers} does not take results: {self._failure}"
            )

    def _bury(self, message: Message, reason: str, *, cut: bool = False) -> None:
        """Send a dead letter; one that is too large with its headers only in part."""
        headers: list[tuple[str, str | bytes | None]] = [
            (TOPIC, str(message.topic())),
            (PARTITION, str(message.partition())),
            (OFFSET, str(message.offset())),
            (TIMESTAMP, str(message.timestamp()[1])),
            (ERROR, reason[:_LONGEST_ERROR].encode("utf-8", "backslashreplace")),
        ]
        key, value = message.key(), message.value()
        if cut:
            headers.append((CUT_FROM, str(len(value or b""))))
            key, value = key and key[:KEPT_OF_REJECTED], value and value[:KEPT_OF_REJECTED]

        def delivered(error: KafkaError | None, letter: Message) -> None:
            if error is not None and error.code() == KafkaError.MSG_SIZE_TOO_LARGE and not cut:
                self._too_large.append((message, reason))
            else:
                self._delivered(error, letter)

        try:
            self._client.produce(self._settings.topic.dead_letters, value, key, headers=headers, on_delivery=delivered)
        except KafkaException as error:
            if cut or error.args[0].code() != KafkaError.MSG_SIZE_TOO_LARGE:
                raise
            self._too_large.append((message, reason))

    def _flush(self) -> None:
        left = self._client.flush(_FLUSH_SECONDS)
        if left:
            self._client.purge()
            self._client.flush(1.0)
            self._failure = self._last_error.text or "no answer"

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None and not self._failure:
            self._failure = f"topic {message.topic()}: {plain(error)}"

    def _new_client(self) -> confluent_kafka.Producer:
        config = {**self._settings.client(), **_CONFIG, "error_cb": self._last_error}
        return new_client(confluent_kafka.Producer, config)
