"""An endpoint that hands lines to Kafka until it is told to stop: what ``logwarden run ingest`` does."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from logwarden.api.log_pipeline import LogPipeline
from logwarden.errors import InvalidInputError, LogwardenError
from logwarden.ingest.listener import HttpListener
from logwarden.ingest.metrics import IngestMetrics
from logwarden.ingest.tokens import Tokens
from logwarden.kafka.producer import Producer
from logwarden.kafka.settings import KafkaSettings, settings_of
from logwarden.kafka.topics import ensure_topics
from logwarden.local.certificates import http_context
from logwarden.local.commands import url
from logwarden.local.health import HealthServer
from logwarden.local.http import http_limits, http_tokens
from logwarden.local.ports import HTTP, Endpoint, bind_endpoint, endpoints
from logwarden.local.privacy import at_collection, privacy_of
from logwarden.local.secrets import read_secret
from logwarden.local.signals import stop_on_signals
from logwarden.sources.listening import ListenerThread

_AGAIN_SECONDS = 2.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class IngestConfig:
    """What to run.

    Attributes
    ----------
    pipeline
        Its HTTP endpoint and Kafka.
    say
        Prints a text for the person who started it.
    host, port
        Where to listen; the pipeline's port by default, 0 takes a free one.
    anonymous
        Let anyone send where the pipeline names no tokens.
    secrets
        Folder with the values of Secrets, or None.
    bootstrap_servers
        Instead of the pipeline's Kafka.
    metrics_port
        For metrics and health; 0 takes a free port, None serves none.
    """

    pipeline: LogPipeline
    say: Callable[[str], None]
    host: str
    port: int | None = None
    anonymous: bool = False
    secrets: Path | None = None
    bootstrap_servers: str | None = None
    metrics_port: int | None = None


def run(config: IngestConfig) -> None:
    """Run until SIGINT or SIGTERM; then answer what has begun, wait for Kafka and return.

    Kafka may be away at the start: requests are then told so until it is there.

    Raises
    ------
    LogwardenError
        If something that it needs is missing, wrong or taken; or if Kafka did not take all lines at the end.
    """
    with contextlib.ExitStack() as stack:
        stopping = stack.enter_context(stop_on_signals())
        settings = settings_of(
            config.pipeline, partial(read_secret, config.secrets), bootstrap_servers=config.bootstrap_servers
        )
        tokens = _tokens(config)
        tls = http_context(config.pipeline, config.secrets)
        endpoint, sock = bind_endpoint(_endpoint(config))
        stack.callback(sock.close)
        privacy = privacy_of(config.pipeline, config.secrets)
        intake = TopicIntake(settings)
        producer = stack.enter_context(intake.producer)
        limits = http_limits(config.pipeline)
        masking = at_collection(config.pipeline, privacy, intake)
        listener = HttpListener(endpoint.name, sock, masking, tokens=tokens, tls=tls, limits=limits, by_device=True)
        metrics_port = _serve_health(config, listener, producer, stack)
        thread = ListenerThread([listener])
        thread.start()
        stack.callback(thread.stop)
        config.say(_banner(config, settings, endpoint, metrics_port))
        while not intake.open() and not stopping.wait(_AGAIN_SECONDS):
            pass
        stopping.wait()
        config.say("Stopping: waiting for Kafka to have what was taken. Ctrl-C once more stops at once.")


class TopicIntake:
    """A producer that takes lines only when its topic is known to be there."""

    def __init__(self, settings: KafkaSettings) -> None:
        self.producer = Producer(settings)
        self._settings = settings
        self._missing = f"Kafka at {settings.bootstrap_servers} was not reached yet"

    @property
    def crowded(self) -> bool:
        """See :class:`logwarden.sources.listening.Intake`."""
        return self.producer.crowded

    @property
    def problem(self) -> str:
        """See :class:`logwarden.sources.listening.Intake`."""
        return self._missing or self.producer.problem

    def open(self) -> bool:
        """Make the topics that are absent; False if Kafka is away or does not let us."""
        try:
            ensure_topics(self._settings)
        except LogwardenError as error:
            if str(error) != self._missing:
                _log.error("%s; trying again", error)
            self._missing = str(error)
            return False
        self._missing = ""
        return True

    def append(
        self,
        listener: str,
        lines: Sequence[bytes],
        peers: str | Sequence[str] = "",
        *,
        keys: Sequence[str] | None = None,
        reason: str = "",
        late: bool = False,
    ) -> None:
        """See :class:`logwarden.sources.listening.Intake`."""
        self.producer.append(listener, lines, peers, keys=keys, reason=reason, late=late)

    def durable(self) -> Future[None]:
        """See :class:`logwarden.sources.listening.Intake`."""
        return self.producer.durable()


def _tokens(config: IngestConfig) -> Tokens | None:
    tokens = http_tokens(config.pipeline, config.secrets)
    if tokens is None and not config.anonymous:
        raise InvalidInputError(
            f"LogPipeline {config.pipeline.name} lets anyone send: set spec.collect.http.tokenSecretRef, or start with "
            "--anonymous"
        )
    return tokens


def _endpoint(config: IngestConfig) -> Endpoint:
    ports = {} if config.port is None else {HTTP: config.port}
    if not config.pipeline.spec.collect.http.enabled:
        raise InvalidInputError(f"LogPipeline {config.pipeline.name}: spec.collect.http.enabled is not true")
    found = endpoints(config.pipeline, host=config.host, ports=ports, dashboard=False)
    return next(one for one in found if one.name == HTTP)


def _serve_health(
    config: IngestConfig, listener: HttpListener, producer: Producer, stack: contextlib.ExitStack
) -> int | None:
    if config.metrics_port is None:
        return None
    ingest = listener.ingest
    server = HealthServer(
        config.metrics_port,
        IngestMetrics(ingest, config.pipeline.name, producer.counts, lambda: producer.waiting),
        alive=lambda: "",
        ready=lambda: ingest.problem,
    )
    stack.callback(server.close)
    return server.port


def _banner(config: IngestConfig, settings: KafkaSettings, endpoint: Endpoint, metrics_port: int | None) -> str:
    lines = [
        f"Ingest of LogPipeline {config.pipeline.name}",
        f"  lines    {url(endpoint)}",
        f"  topic    {settings.topic.name} at {settings.bootstrap_servers}",
    ]
    if metrics_port is not None:
        lines.append(f"  metrics  http://localhost:{metrics_port}/metrics")
    return "\n".join(lines)
