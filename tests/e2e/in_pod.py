"""Runs in a pod of the cluster: sends numbered lines, and reads Kafka to the end to find them again.

    python - RUN tcp HOST:PORT FIRST LAST RATE
    python - RUN http URL FIRST LAST RATE
    python - RUN count SERVERS TOPIC DEAD_LETTERS [POSITIONS]

RUN is a word by which the lines of one run are known. Every thousandth line is one that cannot be read, and has to
become a dead letter. With POSITIONS, by partition, messages of the raw topic from there on are left out of the counts,
and so are dead letters of theirs.
"""

from __future__ import annotations

import base64
import http.client
import json
import re
import socket
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from typing import Any

_BROKEN_EVERY = 1000
_BATCH = 100
_RETRY_SECONDS = 0.5
_PATIENCE = 300.0
_RUN = sys.argv[1]
_NUMBERED = re.compile(rf"numbered line (\d+) of (tcp|http) in {_RUN}".encode())
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{64,}")


def line(number: int, way: str) -> bytes:
    """Return a line, or something that is mostly control characters."""
    text = f"numbered line {number} of {way} in {_RUN}"
    if number % _BROKEN_EVERY == 0:
        return text.encode() + b"\x01" * 200
    stamp = time.strftime("%b %e %H:%M:%S", time.gmtime())
    return f"<13>{stamp} h{number % 20} app[7]: {text}".encode()


def batches(first: int, last: int, rate: float) -> Iterator[range]:
    """Yield numbers in batches, not faster than ``rate`` lines a second."""
    began = time.monotonic()
    for start in range(first, last, _BATCH):
        time.sleep(max(0.0, began + (start - first) / rate - time.monotonic()))
        yield range(start, min(start + _BATCH, last))


def send_tcp(address: str, first: int, last: int, rate: float) -> dict[str, Any]:
    """Send over one connection, which has to hold. Whether the lines were taken only the receiver knows."""
    with _connect(address) as connection:
        for numbers in batches(first, last, rate):
            connection.sendall(b"".join(line(number, "tcp") + b"\n" for number in numbers))
    return {}


def _connect(address: str) -> socket.socket:
    """Connect, as senders do, until that succeeds: a Service may still lead to the pod that was there before."""
    host, _, port = address.rpartition(":")
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            return socket.create_connection((host, int(port)), timeout=60)
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(_RETRY_SECONDS)


def send_http(url: str, first: int, last: int, rate: float) -> dict[str, Any]:
    """Send each batch until it is answered with success.

    Return how many lines were taken, as the answers say, and for which reasons how many requests were sent again.
    """
    taken, again = 0, Counter[str]()
    for numbers in batches(first, last, rate):
        body = b"\n".join(line(number, "http") for number in numbers)
        until = time.monotonic() + _PATIENCE
        while isinstance(answer := _post(url, body), str):
            if time.monotonic() > until:
                raise SystemExit(f"no success in {_PATIENCE:.0f} s, but {answer}")
            again[answer] += 1
            time.sleep(_RETRY_SECONDS)
        taken += answer
    return {"taken": taken, "again": again}


def _post(url: str, body: bytes) -> int | str:
    """Return how many lines were taken, or why the request has to be sent again."""
    request = urllib.request.Request(url, body, {"Content-Type": "text/plain"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return sum(json.load(answer).values())
    except (OSError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__


def count(servers: str, topic: str, dead_letters: str, positions: dict[str, int]) -> dict[str, dict[str, int]]:
    """Return what both topics hold: see :func:`_raw` and :func:`_dead`."""
    from confluent_kafka import Consumer

    consumer = Consumer({"bootstrap.servers": servers, "group.id": "e2e", "enable.partition.eof": True})
    behind = {int(number): position for number, position in positions.items()}
    found = {topic: _raw(consumer, topic, behind), dead_letters: _dead(consumer, dead_letters, behind)}
    consumer.close()
    return found


def _raw(consumer, topic: str, behind: dict[int, int]) -> dict[str, int]:  # type: ignore[no-untyped-def]
    """Return messages by partition; of each way how many different numbers there are, and how many come again."""
    messages = Counter({str(partition): 0 for partition in _partitions(consumer, topic)})
    numbers: dict[str, list[int]] = {"tcp": [], "http": []}
    for message in _all(consumer, topic):
        if message.offset() < behind.get(message.partition(), sys.maxsize):
            messages[str(message.partition())] += 1
            _note(message, numbers)
    return {**messages, "messages": messages.total(), **_different(numbers)}


def _dead(consumer, topic: str, behind: dict[int, int]) -> dict[str, int]:  # type: ignore[no-untyped-def]
    """Return dead letters by the partition that they come from, each once, and their numbers as above."""
    letters = {}
    for message in _all(consumer, topic):
        headers = {name: value.decode() for name, value in message.headers() or [] if isinstance(value, bytes)}
        partition, offset = int(headers["original-partition"]), int(headers["original-offset"])
        if offset < behind.get(partition, sys.maxsize):
            letters[partition, offset] = message
    numbers: dict[str, list[int]] = {"tcp": [], "http": []}
    for message in letters.values():
        _note(message, numbers)
    by_partition = Counter(str(partition) for partition, _ in letters)
    return {**by_partition, "messages": len(letters), **_different(numbers)}


def _partitions(consumer, topic: str) -> list[int]:  # type: ignore[no-untyped-def]
    """Return the partitions of a topic, none where there is no such topic."""
    return list(consumer.list_topics(topic, timeout=30).topics[topic].partitions)


def _all(consumer, topic: str):  # type: ignore[no-untyped-def]
    """Yield the messages of a topic up to its end."""
    from confluent_kafka import OFFSET_BEGINNING, TopicPartition

    reading = [TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in _partitions(consumer, topic)]
    consumer.assign(reading)
    ended = 0
    while ended < len(reading):
        for message in consumer.consume(1000, timeout=1.0):
            if message.error() is None:
                yield message
            else:
                ended += 1


def _note(message, numbers: dict[str, list[int]]) -> None:  # type: ignore[no-untyped-def]
    if found := _NUMBERED.search(_readable(message.value() or b"")):
        numbers[found[2].decode()].append(int(found[1]))


def _different(numbers: dict[str, list[int]]) -> dict[str, int]:
    once = {way: len(set(found)) for way, found in numbers.items()}
    return once | {f"{way}_again": len(found) - once[way] for way, found in numbers.items()}


def _readable(value: bytes) -> bytes:
    """Return the value of a message, with what is in it as base64 because it is not text."""
    return value + b"".join(base64.b64decode(found[: len(found) // 4 * 4]) for found in _BASE64.findall(value))


def main(what: str, where: str, *arguments: str) -> None:
    """Do it, and print what came of it as JSON."""
    if what == "count":
        topic, dead_letters, *positions = arguments
        print(json.dumps(count(where, topic, dead_letters, json.loads(positions[0]) if positions else {})))
        return
    first, last, rate = int(arguments[0]), int(arguments[1]), float(arguments[2])
    send = send_tcp if what == "tcp" else send_http
    print(json.dumps(send(where, first, last, rate)))


if __name__ == "__main__":
    main(*sys.argv[2:])
