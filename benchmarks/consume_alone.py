"""Consume a topic and do nothing with it: what Kafka and its client can deliver here. Prints one JSON object."""

from __future__ import annotations

import json
import sys
import time
import uuid

from confluent_kafka import Consumer, KafkaException

_BATCH = 2000


def main(servers: str, topic: str, count: int) -> None:
    """Read ``count`` messages; the rate is that from the first batch to the last."""
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": f"alone-{uuid.uuid4().hex}",
            "group.protocol": "consumer",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([topic])
    found, first, size = 0, 0, 0
    started = ended = time.perf_counter()
    while found < count:
        for message in consumer.consume(_BATCH, timeout=0.1):
            error = message.error()
            if error is not None:
                raise KafkaException(error)
            size += len(message.value() or b"")
            found += 1
        ended = time.perf_counter()
        if not first:
            first, started = found, ended
    consumer.close()
    rate = (found - first) / (ended - started)
    values = {"lines": found, "lines_per_second": round(rate), "bytes": size, "cpu_seconds": time.process_time()}
    print(json.dumps(values))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
