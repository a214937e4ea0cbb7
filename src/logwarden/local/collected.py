"""The raw topics of the pipelines that use a model, for its training."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from logwarden.api.anomaly_model import AnomalyModel
from logwarden.api.log_pipeline import LogPipeline
from logwarden.datasets import RawTopic
from logwarden.errors import InvalidInputError
from logwarden.kafka.settings import settings_of
from logwarden.local.privacy import at_detection, privacy_of
from logwarden.local.secrets import read_secret


def raw_topics(
    resources: Iterable[AnomalyModel | LogPipeline],
    model: AnomalyModel,
    secrets: Path | None = None,
    bootstrap_servers: str | None = None,
) -> list[RawTopic]:
    """Return the raw topics of all pipelines among the resources that use the model, each once.

    Raises
    ------
    InvalidInputError
        If no pipeline uses it, one names no Kafka and ``bootstrap_servers`` neither, or a Secret cannot be read.
    """
    pipelines = [one for one in resources if isinstance(one, LogPipeline) and _uses(one, model)]
    if not pipelines:
        raise InvalidInputError(
            f"no LogPipeline beside the model has {model.name} in spec.detect.modelRef, and its topic is what is read: "
            "add one with spec.kafka, or name a file or folder with uri"
        )
    topics = [_raw_topic(one, secrets, bootstrap_servers) for one in pipelines]
    topics.sort(key=lambda topic: topic.privacy is not None)  # of two that share a topic, the one that masks counts
    return list({topic.place: topic for topic in topics}.values())


def _uses(pipeline: LogPipeline, model: AnomalyModel) -> bool:
    same = pipeline.metadata.namespace == model.metadata.namespace
    return same and pipeline.spec.detect.model_ref.name == model.name


def _raw_topic(pipeline: LogPipeline, secrets: Path | None, bootstrap_servers: str | None) -> RawTopic:
    settings = settings_of(pipeline, partial(read_secret, secrets), bootstrap_servers=bootstrap_servers)
    return RawTopic(settings, at_detection(pipeline, privacy_of(pipeline, secrets)))
