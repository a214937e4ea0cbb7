"""How to reach Kafka, and the names of its topics: read once from a LogPipeline and its Secrets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

from logwarden.api.log_pipeline import BOOTSTRAP_SERVERS, KafkaSpec, LogPipeline, TopicSpec
from logwarden.errors import InvalidInputError

ReadSecret = Callable[[str, str, str], str]
"""From the name of a Secret, a key in it and the field that asks for it to the value."""


@dataclass(frozen=True)
class Tls:
    """TLS to the brokers; each value is PEM text, or empty for the system's authorities and no client certificate."""

    authority: str = ""
    certificate: str = ""
    key: SecretStr = field(default_factory=lambda: SecretStr(""))


@dataclass(frozen=True)
class Sasl:
    """User and password."""

    mechanism: str
    username: str
    password: SecretStr


@dataclass(frozen=True)
class KafkaSettings:
    """One Kafka, and the topics of one pipeline in it.

    Attributes
    ----------
    bootstrap_servers
        ``host:port``, or several separated by commas.
    topic
        The raw topic as specified; it gives the names of the others.
    group
        Consumer group of the detectors.
    tls, sasl
        None without.
    """

    bootstrap_servers: str
    topic: TopicSpec
    group: str
    tls: Tls | None = None
    sasl: Sasl | None = None

    def client(self) -> dict[str, Any]:
        """Return what every client of librdkafka is configured with. It holds secrets: never log it."""
        config: dict[str, Any] = {
            "bootstrap.servers": self.bootstrap_servers,
            "client.id": "logwarden",
            "security.protocol": ("SASL_" if self.sasl else "") + ("SSL" if self.tls else "PLAINTEXT"),
            # Only problems; they reach our own log through the error callback.
            "log_level": 0,
            "reconnect.backoff.max.ms": 2000,
        }
        if self.tls is not None:
            pems = {
                "ssl.ca.pem": self.tls.authority,
                "ssl.certificate.pem": self.tls.certificate,
                "ssl.key.pem": self.tls.key.get_secret_value(),
            }
            config |= {name: pem for name, pem in pems.items() if pem}
        if self.sasl is not None:
            config |= {
                "sasl.mechanism": self.sasl.mechanism,
                "sasl.username": self.sasl.username,
                "sasl.password": self.sasl.password.get_secret_value(),
            }
        return config


def settings_of(
    pipeline: LogPipeline, read_secret: ReadSecret, *, bootstrap_servers: str | None = None
) -> KafkaSettings:
    """Return the settings of a pipeline.

    Parameters
    ----------
    pipeline
        Its ``spec.kafka`` may be absent when ``bootstrap_servers`` is given.
    read_secret
        Reads a value of a Secret.
    bootstrap_servers
        Instead of those of the pipeline.

    Raises
    ------
    InvalidInputError
        If there is no address, or a Secret cannot be read.
    """
    spec = pipeline.spec.kafka
    if bootstrap_servers is not None and not BOOTSTRAP_SERVERS.fullmatch(bootstrap_servers):
        raise InvalidInputError(
            f"--bootstrap-servers {bootstrap_servers}: expected host:port, or several separated by commas"
        )
    return KafkaSettings(
        bootstrap_servers=pipeline.kafka_address(bootstrap_servers),
        topic=spec.topic if spec is not None else TopicSpec(),
        group=pipeline.consumer_group,
        tls=_tls(spec, read_secret),
        sasl=_sasl(spec, read_secret),
    )


def _tls(spec: KafkaSpec | None, read: ReadSecret) -> Tls | None:
    if spec is None or spec.tls is None:
        return None
    authority, client = spec.tls.ca_secret_ref, spec.tls.certificate_secret_ref
    certificate = key = ""
    if client is not None:
        asked_by = "spec.kafka.tls.certificateSecretRef"
        certificate, key = read(client.name, "tls.crt", asked_by), read(client.name, "tls.key", asked_by)
    return Tls(
        authority=read(authority.name, authority.key, "spec.kafka.tls.caSecretRef") if authority is not None else "",
        certificate=certificate,
        key=SecretStr(key),
    )


def _sasl(spec: KafkaSpec | None, read: ReadSecret) -> Sasl | None:
    if spec is None or spec.sasl is None:
        return None
    name, asked_by = spec.sasl.credentials_secret_ref.name, "spec.kafka.sasl.credentialsSecretRef"
    return Sasl(spec.sasl.mechanism, read(name, "username", asked_by), SecretStr(read(name, "password", asked_by)))
