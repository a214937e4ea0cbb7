"""What librdkafka says, in words for the person who set it up."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException

from logwarden.errors import LogwardenError


class KafkaUnusableError(LogwardenError):
    """Kafka cannot be used: it is away, or refuses."""


class LastError:
    """Remembers what went wrong last at a client: librdkafka tells reasons only to this callback."""

    def __init__(self) -> None:
        self.text = ""
        self.fatal = False

    def __call__(self, error: KafkaError) -> None:
        if error.fatal():
            self.fatal = True
        # That all brokers are down follows from the reasons that were told before.
        if error.code() != KafkaError._ALL_BROKERS_DOWN or not self.text:
            self.text = plain(error)


def plain(error: KafkaError | KafkaException) -> str:
    """Return the reason without librdkafka's prefixes."""
    if isinstance(error, KafkaException):
        inner = error.args[0] if error.args else None
        return plain(inner) if isinstance(inner, KafkaError) else str(error)
    text = " ".join(error.str().split()).removeprefix("Broker: ").removeprefix("Local: ")
    # Such as "sasl_plaintext://host:9092/bootstrap: SASL authentication error: ... (after 3ms in state ...)".
    head, _, rest = text.partition("://")
    if rest and " " not in head:
        text = rest.partition(": ")[2] or rest
    return text.partition(" (after ")[0].rstrip(".")
