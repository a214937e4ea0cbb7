"""Reading a topic up to where it ends now, beside the consumer groups: none is joined, and nothing is committed."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from logwarden.kafka.clients import new_client
from logwarden.kafka.errors import KafkaUnusableError, LastError, plain
from logwarden.kafka.settings import KafkaSettings

_CONFIG: dict[str, Any] = {
    "enable.auto.commit": False,
    "enable.partition.eof": True,
    # What the retention removed meanwhile is not there to be read.
    "auto.offset.reset": "earliest",
    "queued.max.messages.kbytes": 16 * 1024,
}
_ASK_SECONDS = 10.0
_SILENT_SECONDS = 15.0
_REASON_SECONDS = 0.5
_BATCH = 2000


@contextmanager
def reader(settings: KafkaSettings, group: str) -> Iterator[Consumer]:
    """Open a consumer that chooses its partitions itself.

    ``group`` is one that the user of ``settings`` may look up: Kafka asks for that right, although nobody joins it.

    Raises
    ------
    KafkaUnusableError
        In place of what Kafka refuses while the consumer is open.
    """
    last_error = LastError()
    config = {**settings.client(), **_CONFIG, "group.id": group, "error_cb": last_error}
    consumer = new_client(Consumer, config)
    try:
        yield consumer
    except KafkaException as error:
        with contextlib.suppress(KafkaException):
            consumer.poll(_REASON_SECONDS)  # hands the reasons to last_error
        reason = last_error.text or plain(error)
        raise KafkaUnusableError(f"cannot use Kafka at {settings.bootstrap_servers}: {reason}") from None
    finally:
        consumer.close()


def partitions_of(consumer: Consumer, settings: KafkaSettings, topic: str) -> list[int]:
    """Return the partitions of a topic.

    Raises
    ------
    KafkaUnusableError
        If there is no such topic, or it must not be read.
    """
    found = consumer.list_topics(topic, timeout=_ASK_SECONDS).topics[topic]
    if found.error is not None:
        raise KafkaUnusableError(f"topic {topic} at {settings.bootstrap_servers}: {plain(found.error)}")
    return sorted(found.partitions)


def first_since(consumer: Consumer, topic: str, partitions: Sequence[int], since: float) -> list[TopicPartition]:
    """Return where the messages begin that were written at or after ``since`` (Unix seconds), for partitions with any.

    Kafka goes by the times of the messages.
    """
    asked = [TopicPartition(topic, number, int(since * 1000)) for number in partitions]
    found = consumer.offsets_for_times(asked, timeout=_ASK_SECONDS)
    for one in found:
        if one.error is not None:
            raise KafkaException(one.error)
    return [one for one in found if one.offset >= 0]


def read_to_end(
    consumer: Consumer, settings: KafkaSettings, begins: Sequence[TopicPartition]
) -> Iterator[Sequence[Message]]:
    """Yield the messages from ``begins`` up to where the partitions end now, in order within each partition.

    Raises
    ------
    KafkaUnusableError
        If Kafka falls silent.
    """
    ends = {(one.topic, one.partition): _end(consumer, settings, one) for one in begins}
    consumer.assign(list(begins))
    heard = time.monotonic()
    while ends:
        wanted = []
        for message in consumer.consume(_BATCH, timeout=1.0):
            heard = time.monotonic()
            place = (str(message.topic()), message.partition() or 0)
            error = message.error()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                raise KafkaException(error)
            if place not in ends:
                continue
            offset = message.offset() or 0
            if error is None and offset < ends[place]:
                wanted.append(message)
            # Marks of transactions take offsets too, so the last message may stand well before the end.
            if error is not None or offset >= ends[place] - 1:
                del ends[place]
                consumer.pause([TopicPartition(*place)])
        if wanted:
            yield wanted
            heard = time.monotonic()  # what the reader does meanwhile may take long
        if time.monotonic() - heard > _SILENT_SECONDS:
            raise KafkaUnusableError(f"Kafka at {settings.bootstrap_servers} does not answer")


def _end(consumer: Consumer, settings: KafkaSettings, partition: TopicPartition) -> int:
    found = consumer.get_watermark_offsets(partition, timeout=_ASK_SECONDS)
    if found is None:
        raise KafkaUnusableError(f"Kafka at {settings.bootstrap_servers} does not answer")
    return int(found[1])
