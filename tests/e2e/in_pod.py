"""Runs in a pod of the cluster: sends numbered lines, and reads Kafka to the end to find them again.

    python - RUN tcp HOST:PORT FIRST LAST RATE
    python - RUN http URL FIRST LAST RATE
    python - RUN count SERVERS TOPIC...

RUN is a word by which the lines of one run are known. Every thousandth line is one that cannot be read, and has to
become a dead letter.
"""

from __future__ import annotations

import base64
import json
import re
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

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


def send_tcp(address: str, first: int, last: int, rate: float) -> int:
    """Send over one connection, which has to hold."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        for numbers in batches(first, last, rate):
            connection.sendall(b"".join(line(number, "tcp") + b"\n" for number in numbers))
    return 0


def send_http(url: str, first: int, last: int, rate: float) -> int:
    """Send each batch until it is answered with success; return how often that took another try."""
    retries = 0
    for numbers in batches(first, last, rate):
        body = b"\n".join(line(number, "http") for number in numbers)
        until = time.monotonic() + _PATIENCE
        while not _accepted(url, body):
            if time.monotonic() > until:
                raise SystemExit(f"no success in {_PATIENCE:.0f} s")
            retries += 1
            time.sleep(_RETRY_SECONDS)
    return retries


def _accepted(url: str, body: bytes) -> bool:
    request = urllib.request.Request(url, body, {"Content-Type": "text/plain"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.HTTPError):
        return False


def count(servers: str, topics: list[str]) -> dict[str, dict[str, int]]:
    """Return by topic how many messages can be read, and of each way how many different numbers, and how many twice."""
    from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

    consumer = Consumer({"bootstrap.servers": servers, "group.id": "e2e", "enable.partition.eof": True})
    result = {}
    for topic in topics:
        found = consumer.list_topics(topic, timeout=30).topics[topic]
        if found.error is not None:
            result[topic] = {"missing": 1}
            continue
        parts = [TopicPartition(topic, number, OFFSET_BEGINNING) for number in found.partitions]
        consumer.assign(parts)
        result[topic] = {"partitions": len(parts), **_numbers(consumer, len(parts))}
    consumer.close()
    return result


def _numbers(consumer, partitions: int) -> dict[str, int]:  # type: ignore[no-untyped-def]
    numbers: dict[str, list[int]] = {"tcp": [], "http": []}
    ended = messages = 0
    while ended < partitions:
        for message in consumer.consume(1000, timeout=1.0):
            if message.error() is not None:
                ended += 1
                continue
            messages += 1
            if found := _NUMBERED.search(_readable(message.value() or b"")):
                numbers[found[2].decode()].append(int(found[1]))
    once = {way: len(set(found)) for way, found in numbers.items()}
    return {"messages": messages} | once | {f"{way}_twice": len(found) - once[way] for way, found in numbers.items()}


def _readable(value: bytes) -> bytes:
    """Return the value of a message, with what is in it as base64 because it is not text."""
    return value + b"".join(base64.b64decode(found[: len(found) // 4 * 4]) for found in _BASE64.findall(value))


def main(what: str, where: str, *arguments: str) -> None:
    """Do it, and print what came of it as JSON."""
    if what == "count":
        print(json.dumps(count(where, list(arguments))))
        return
    first, last, rate = int(arguments[0]), int(arguments[1]), float(arguments[2])
    send = send_tcp if what == "tcp" else send_http
    print(json.dumps({"retries": send(where, first, last, rate)}))


if __name__ == "__main__":
    main(*sys.argv[2:])
