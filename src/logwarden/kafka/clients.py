"""Making clients of Kafka."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from confluent_kafka import KafkaException

from logwarden.errors import InvalidInputError
from logwarden.kafka.errors import plain

_Client = TypeVar("_Client")


def new_client(kind: Callable[[dict[str, Any]], _Client], config: dict[str, Any]) -> _Client:
    """Return a client of librdkafka.

    Raises
    ------
    InvalidInputError
        If the library refuses the configuration: a certificate or key from a Secret is none, for instance.
    """
    try:
        return kind(config)
    except KafkaException as error:
        raise InvalidInputError(f"spec.kafka: {plain(error)}") from None
