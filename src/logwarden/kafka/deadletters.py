"""Reading the dead-letter topic, and sending what lies in it once more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import confluent_kafka
from confluent_kafka import OFFSET_BEGINNING, OFFSET_STORED, KafkaError, KafkaException, Message, TopicPartition

from logwarden.api.log_pipeline import dead_letters_group
from logwarden.errors import InvalidInputError
from logwarden.kafka.clients import new_client
from logwarden.kafka.envelope import decode
from logwarden.kafka.errors import KafkaUnusableError, LastError, plain
from logwarden.kafka.publisher import ERROR, MAX_MESSAGE_BYTES, OFFSET, PARTITION, TIMESTAMP, TOPIC
from logwarden.kafka.reading import partitions_of, read_to_end, reader
from logwarden.kafka.settings import KafkaSettings

_QUEUE_SECONDS = 0.1
_SENDING: dict[str, Any] = {
    "acks": "all",
    "enable.idempotence": True,
    "message.timeout.ms": 20_000,
    "message.max.bytes": MAX_MESSAGE_BYTES,
}
REPLAYED = "replayed-from"
"""Header of a message that was sent once more: where it had stood before."""


@dataclass(frozen=True)
class DeadLetter:
    """A message that could not be processed.

    Attributes
    ----------
    topic, partition, offset
        Where it stood in the raw topic.
    time
        When it was written there.
    error
        Why it could not be processed.
    key, value
        As they were.
    place
        Partition and offset in the dead-letter topic.
    """

    topic: str
    partition: int
    offset: int
    time: datetime
    error: str
    key: bytes | None
    value: bytes | None
    place: tuple[int, int]

    @property
    def id(self) -> str:
        """Origin in one word: ``TOPIC/PARTITION/OFFSET``."""
        return f"{self.topic}/{self.partition}/{self.offset}"

    @property
    def text(self) -> str:
        """The line in it, or what was found instead, with bytes that are not UTF-8 as ``\\xNN``."""
        line = decode(self.value, key=self.key, written=0.0)
        return line.text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def read_dead_letters(settings: KafkaSettings, *, unreplayed: bool = False) -> Iterator[DeadLetter]:
    """Yield the dead letters of a pipeline up to now, oldest first within a partition.

    One that was sent twice, by a detector that was killed, comes twice: see :func:`distinct`.

    ``unreplayed`` leaves out those before the last one that :func:`mark_replayed` was told of.

    Raises
    ------
    KafkaUnusableError
        If the topic cannot be read.
    """
    name = settings.topic.dead_letters
    begin = OFFSET_STORED if unreplayed else OFFSET_BEGINNING
    with reader(settings, dead_letters_group(settings.group)) as consumer:
        begins = [TopicPartition(name, number, begin) for number in partitions_of(consumer, settings, name)]
        for messages in read_to_end(consumer, settings, begins):
            yield from map(_letter, messages)


def distinct(letters: Iterable[DeadLetter]) -> Iterator[DeadLetter]:
    """Yield each dead letter once."""
    seen: set[str] = set()
    for letter in letters:
        if letter.id not in seen:
            seen.add(letter.id)
            yield letter


def mark_replayed(settings: KafkaSettings, letters: Iterable[DeadLetter]) -> None:
    """Remember that dead letters were replayed, up to the last one of each partition."""
    ends: dict[int, int] = {}
    for letter in letters:
        partition, offset = letter.place
        ends[partition] = max(ends.get(partition, 0), offset + 1)
    name = settings.topic.dead_letters
    offsets = [TopicPartition(name, partition, end) for partition, end in ends.items()]
    with reader(settings, dead_letters_group(settings.group)) as consumer:
        try:
            consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            raise KafkaUnusableError(f"that they were replayed could not be remembered: {plain(error)}") from None


def _letter(message: Message) -> DeadLetter:
    """Read a dead letter; one that others wrote has itself as origin where its headers tell none."""
    pairs: Any = message.headers() or ()
    headers = {name: value.decode("utf-8", "replace") if isinstance(value, bytes) else "" for name, value in pairs}
    milliseconds = _number(headers.get(TIMESTAMP), message.timestamp()[1])
    return DeadLetter(
        topic=headers.get(TOPIC) or str(message.topic()),
        partition=_number(headers.get(PARTITION), message.partition() or 0),
        offset=_number(headers.get(OFFSET), message.offset() or 0),
        time=datetime.fromtimestamp(milliseconds / 1000, UTC),
        error=headers.get(ERROR, ""),
        key=message.key(),
        value=message.value(),
        place=(message.partition() or 0, message.offset() or 0),
    )


def _number(text: str | None, otherwise: int) -> int:
    return int(text) if text is not None and text.isdecimal() else otherwise


def find(letters: Iterable[DeadLetter], name: str) -> DeadLetter:
    """Return the dead letter with an id, which may lack the topic.

    Raises
    ------
    InvalidInputError
        If there is none.
    """
    for letter in letters:
        if name in (letter.id, f"{letter.partition}/{letter.offset}"):
            return letter
    raise InvalidInputError(f"there is no dead letter {name}: 'logwarden deadletters list' shows them")


def replay(settings: KafkaSettings, letters: Iterable[DeadLetter]) -> int:
    """Send dead letters to the raw topic as they were, and return how many once Kafka has them.

    Raises
    ------
    KafkaUnusableError
        If Kafka has not acknowledged all of them.
    """
    last_error = LastError()
    failures: list[str] = []

    def delivered(error: KafkaError | None, message: Message) -> None:
        if error is not None:
            failures.append(plain(error))

    producer = new_client(confluent_kafka.Producer, {**settings.client(), **_SENDING, "error_cb": last_error})
    count = 0
    for count, letter in enumerate(letters, start=1):  # noqa: B007 - the last count is used below
        try:
            _send(producer, settings.topic.name, letter, delivered)
        except KafkaException as error:
            failures.append(plain(error))
    left = producer.flush(30.0)
    if left or failures:
        reason = failures[0] if failures else last_error.text or "no answer"
        raise KafkaUnusableError(
            f"{left + len(failures)} of {count} messages were not sent to {settings.topic.name}: {reason}"
        )
    return count


def _send(
    producer: confluent_kafka.Producer,
    topic: str,
    letter: DeadLetter,
    delivered: Callable[[KafkaError | None, Message], None],
) -> None:
    origin: list[tuple[str, str | bytes | None]] = [(REPLAYED, letter.id)]
    while True:
        try:
            producer.produce(topic, letter.value, letter.key, headers=origin, on_delivery=delivered)
        except BufferError:  # the client holds 100,000 messages
            producer.poll(_QUEUE_SECONDS)
        else:
            producer.poll(0)
            return
