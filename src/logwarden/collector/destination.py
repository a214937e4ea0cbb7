"""The destination: Kafka, with a buffer on disk for when it is away."""

from __future__ import annotations

from typing import Final

from logwarden.api.base import size_bytes
from logwarden.api.log_pipeline import KafkaSpec, LogPipeline, TopicSpec
from logwarden.collector.layout import NODE_VARIABLE, Layout
from logwarden.collector.syntax import literal, quoted, with_variable
from logwarden.errors import InvalidInputError

SMALLEST_BUFFER: Final = 16 * 1024 * 1024
_MOST_MEMORY: Final = 64 * 1024 * 1024
_BATCH_LINES: Final = 1000
_BATCH_MILLISECONDS: Final = 50
_RETRY_SECONDS: Final = 2
_NEW_BUFFER_NAMES: Final = (4, 3)


def destination(
    pipeline: LogPipeline, layout: Layout, version: tuple[int, int], bootstrap_servers: str | None = None
) -> str:
    """Return the destination.

    ``sync-send`` makes syslog-ng wait until Kafka has a batch (a transaction) before it forgets it; without it, it
    forgets what it has handed to the client library, and loses it when the broker is away.
    """
    kafka = pipeline.spec.kafka
    topic = kafka.topic.name if kafka is not None else TopicSpec().name
    config = "\n".join(f"            {line}" for line in _client(pipeline, kafka, layout))
    if kafka is not None and kafka.sasl is not None:
        # Not in the configuration itself, which anybody may read: see logwarden.collector.start.
        config += f"\n@include {quoted(layout.credentials)}"
    return f"""\
destination "kafka" {{
    kafka-c(
        bootstrap-servers({quoted(pipeline.kafka_address(bootstrap_servers))})
        topic({quoted(literal(topic))})
        key("${{.logwarden.peer}}")
        message("$MESSAGE")
        sync-send(yes)
        workers(1)
        batch-lines({_BATCH_LINES})
        batch-timeout({_BATCH_MILLISECONDS})
        time-reopen({_RETRY_SECONDS})
        persist-name("logwarden-kafka")
        config(
{config}
        )
        {_buffer(pipeline, layout, version)}
    );
}};
"""


def _client(pipeline: LogPipeline, kafka: KafkaSpec | None, layout: Layout) -> list[str]:
    """Return the settings of the client library, one a line."""
    namespace = pipeline.metadata.namespace or "default"
    lines = [
        # Two producers with the same id would fence each other off. No name holds a slash.
        f'"transactional.id" => {with_variable(f"logwarden-{namespace}/{pipeline.name}/", NODE_VARIABLE)}',
        f'"client.id" => {quoted("logwarden-collector")}',
        '"compression.codec" => "lz4"',
        '"linger.ms" => "5"',
        '"reconnect.backoff.max.ms" => "2000"',
        '"log_level" => "3"',
    ]
    if kafka is None:
        return lines
    lines.append(f'"security.protocol" => {quoted(_protocol(kafka))}')
    if kafka.tls is not None:
        if (authority := kafka.tls.ca_secret_ref) is not None:
            lines.append(f'"ssl.ca.location" => {quoted(layout.secret(authority.name, authority.key))}')
        if (client := kafka.tls.certificate_secret_ref) is not None:
            lines.append(f'"ssl.certificate.location" => {quoted(layout.secret(client.name, "tls.crt"))}')
            lines.append(f'"ssl.key.location" => {quoted(layout.secret(client.name, "tls.key"))}')
    if kafka.sasl is not None:
        lines.append(f'"sasl.mechanisms" => {quoted(kafka.sasl.mechanism)}')
    return lines


def _protocol(kafka: KafkaSpec) -> str:
    return ("SASL_" if kafka.sasl is not None else "") + ("SSL" if kafka.tls is not None else "PLAINTEXT")


def _buffer(pipeline: LogPipeline, layout: Layout, version: tuple[int, int]) -> str:
    """Return the disk buffer. Kept are all messages that Kafka does not have, also when syslog-ng is killed."""
    size = size_bytes(pipeline.spec.collect.buffer.size)
    if size < SMALLEST_BUFFER:
        raise InvalidInputError(
            f"spec.collect.buffer.size: found {pipeline.spec.collect.buffer.size}, allowed: 16Mi or more"
        )
    capacity, window = (
        ("capacity-bytes", "flow-control-window-bytes")
        if version >= _NEW_BUFFER_NAMES
        else ("disk-buf-size", "mem-buf-size")
    )
    return (
        f"disk-buffer(reliable(yes) dir({quoted(layout.buffer)}) {capacity}({size}) "
        f"{window}({min(_MOST_MEMORY, size // 4)}))"
    )
