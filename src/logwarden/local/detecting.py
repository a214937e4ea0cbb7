"""A detector that reads from Kafka until it is told to stop: what ``logwarden run detector`` does."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from logwarden.api.anomaly_model import AnomalyModel
from logwarden.api.log_pipeline import LogPipeline
from logwarden.explain import ExplanationWorker
from logwarden.kafka.settings import KafkaSettings, settings_of
from logwarden.kafka.topics import ensure_topics
from logwarden.local.alerts import open_alerts
from logwarden.local.explaining import open_explainer
from logwarden.local.health import HealthServer
from logwarden.local.partitions import partition_statuses
from logwarden.local.privacy import at_detection, privacy_of
from logwarden.local.regular import Every, prune_in_background
from logwarden.local.revision import RevisionWatch, choose_revision, load, spare_collector
from logwarden.local.secrets import read_secret
from logwarden.local.signals import stop_on_signals
from logwarden.outcome import Outcome
from logwarden.revisions import Registry
from logwarden.store import Phase, PipelineStatus, Store, StoreError
from logwarden.streaming.metrics import DetectorMetrics, not_alive
from logwarden.streaming.partitions import PartitionedDetection

_READ_SECONDS = 0.1
_STATUS_SECONDS = 2.0
_PRUNE_SECONDS = 3600.0
_EXPLAIN_SECONDS = 5.0
_INSTANCE = f"{socket.gethostname()}-{os.getpid()}"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DetectorConfig:
    """What to run.

    Attributes
    ----------
    pipeline, model
        The two resources.
    store
        Path or URL of the store.
    registry
        Where model revisions are.
    say
        Prints a text for the person who started it.
    secrets
        Folder with the values of Secrets, or None.
    bootstrap_servers
        Instead of the pipeline's Kafka.
    metrics_port
        For metrics and health; 0 takes a free port, None serves none.
    device
        Where torch computes the language model, ``cpu`` or ``cuda``; None is onnxruntime on the CPU.
    """

    pipeline: LogPipeline
    model: AnomalyModel
    store: Path | str
    registry: Registry
    say: Callable[[str], None]
    secrets: Path | None = None
    bootstrap_servers: str | None = None
    metrics_port: int | None = None
    device: str | None = None


def run(config: DetectorConfig) -> None:
    """Run until SIGINT or SIGTERM; then store what was detected, leave the group and return.

    Raises
    ------
    LogwardenError
        If something that it needs is missing or wrong.
    """
    with contextlib.ExitStack() as stack:
        stopping = stack.enter_context(stop_on_signals())
        settings = settings_of(
            config.pipeline, partial(read_secret, config.secrets), bootstrap_servers=config.bootstrap_servers
        )
        privacy = privacy_of(config.pipeline, config.secrets)
        revision = choose_revision(config.model, config.registry)
        partitions = ensure_topics(settings)
        store = stack.enter_context(Store.open(config.store))
        model = load(revision, config.device)
        spare_collector()
        explaining = open_explainer(config.pipeline, config.model, model, config.secrets, store)
        if explaining is not None:
            stack.callback(explaining.stop, _EXPLAIN_SECONDS)
        told: list[Callable[[Outcome], None]] = [partial(_explain, explaining)]

        def committed(outcome: Outcome) -> None:
            for tell in told:
                tell(outcome)

        detection = PartitionedDetection(
            settings,
            store,
            model,
            config.pipeline.name,
            threshold=config.model.spec.threshold.value,
            privacy=at_detection(config.pipeline, privacy),
            committed=committed,
        )
        # Alerts stop after the detection, whose last results come while it closes.
        told += open_alerts(config.pipeline, config.secrets, privacy, detection, stack)
        stack.enter_context(detection)
        port = _serve_health(config, settings, detection, stack)
        watch = RevisionWatch(config.model, config.registry, model.revision, config.device)
        stack.callback(watch.stop)
        config.say(_banner(config, settings, detection, store, partitions, port))
        _work(stopping, config, detection, watch, store)
        config.say("Stopping: storing what was read. Ctrl-C once more stops at once.")
        detection.step(0.0)


def _explain(explaining: ExplanationWorker | None, outcome: Outcome) -> None:
    if explaining is not None:
        for record in outcome.records:
            explaining.submit(record)


def _serve_health(
    config: DetectorConfig, settings: KafkaSettings, detection: PartitionedDetection, stack: contextlib.ExitStack
) -> int | None:
    if config.metrics_port is None:
        return None
    server = HealthServer(
        config.metrics_port,
        DetectorMetrics(detection, config.pipeline.name, settings.topic.name),
        alive=lambda: not_alive(detection),
        ready=lambda: detection.problem,
    )
    stack.callback(server.close)
    return server.port


def _work(
    stopping: threading.Event,
    config: DetectorConfig,
    detection: PartitionedDetection,
    watch: RevisionWatch,
    store: Store,
) -> None:
    publish, prune = Every(_STATUS_SECONDS), Every(_PRUNE_SECONDS)
    while not stopping.is_set():
        detection.step(_READ_SECONDS)
        new = watch.take()
        if new is not None:
            detection.take_over(new)
            config.say(f"Model revision {new.revision} has taken over.")
        if publish.due():
            _tell(store, config, detection)
        if prune.due():
            prune_in_background(store, config.pipeline)


def _tell(store: Store, config: DetectorConfig, detection: PartitionedDetection) -> None:
    """Publish what this process is doing, for the pages."""
    status = PipelineStatus(
        pipeline=config.pipeline.name,
        instance=_INSTANCE,
        phase=Phase.LISTENING,
        revision=detection.model.revision,
        partitions=partition_statuses(detection),
        detail=detection.problem,
    )
    try:
        lost = sum(store.counters("lost/").values())
        if lost:
            detail = [status.detail] if status.detail else []
            detail.append(f"{lost:,} lines were removed by Kafka before they were read")
            status = status.model_copy(update={"detail": "; ".join(detail)})
        store.set_status(status)
    except StoreError as error:
        _log.warning("the status could not be stored: %s", error)


def _banner(
    config: DetectorConfig,
    settings: KafkaSettings,
    detection: PartitionedDetection,
    store: Store,
    partitions: int,
    port: int | None,
) -> str:
    lines = [
        f"Detector of LogPipeline {config.pipeline.name} with model revision {detection.model.revision}",
        f"  topic    {settings.topic.name}, {partitions} partitions, at {settings.bootstrap_servers}",
        f"  store    {store.url.removeprefix('sqlite:///')}",
    ]
    if port is not None:
        lines.append(f"  metrics  http://localhost:{port}/metrics")
    return "\n".join(lines)
