"""Which Secrets a resource names, and how pods get them: mounted as files, never as arguments."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from logwarden.api.anomaly_model import AnomalyModel
from logwarden.api.base import SecretKeyRef, SecretRef
from logwarden.api.log_pipeline import LogPipeline, TokenSecretRef
from logwarden_operator.children.pods import SECRETS_FOLDER

_MODE = 0o440


class SecretUse(NamedTuple):
    """A Secret, and the field that names it."""

    name: str
    field: str


def _use(ref: SecretRef | SecretKeyRef | TokenSecretRef | None, field: str) -> list[SecretUse]:
    return [] if ref is None else [SecretUse(ref.name, field)]


def kafka_secrets(pipeline: LogPipeline) -> list[SecretUse]:
    """Return what a client of Kafka needs."""
    kafka = pipeline.spec.kafka
    if kafka is None:
        return []
    uses: list[SecretUse] = []
    if kafka.tls is not None:
        uses += _use(kafka.tls.ca_secret_ref, "spec.kafka.tls.caSecretRef")
        uses += _use(kafka.tls.certificate_secret_ref, "spec.kafka.tls.certificateSecretRef")
    if kafka.sasl is not None:
        uses += _use(kafka.sasl.credentials_secret_ref, "spec.kafka.sasl.credentialsSecretRef")
    return uses


def collector_secrets(pipeline: LogPipeline) -> list[SecretUse]:
    """Return what the collector needs: Kafka's and the certificates of its listeners."""
    uses = kafka_secrets(pipeline)
    for index, listener in enumerate(pipeline.spec.collect.syslog.listeners):
        uses += _use(listener.tls_secret_ref, f"spec.collect.syslog.listeners[{index}].tlsSecretRef")
    return uses


def _privacy(pipeline: LogPipeline) -> list[SecretUse]:
    return _use(pipeline.spec.privacy.key_secret_ref, "spec.privacy.keySecretRef")


def ingest_secrets(pipeline: LogPipeline) -> list[SecretUse]:
    """Return what the HTTP endpoint needs."""
    http = pipeline.spec.collect.http
    return [
        *kafka_secrets(pipeline),
        *_use(http.token_secret_ref, "spec.collect.http.tokenSecretRef"),
        *_use(http.tls_secret_ref, "spec.collect.http.tlsSecretRef"),
        *_privacy(pipeline),
    ]


def detector_secrets(pipeline: LogPipeline, model: AnomalyModel | None) -> list[SecretUse]:
    """Return what a detector needs: Kafka, the database, the explaining endpoint and the storage of revisions."""
    uses = [
        *kafka_secrets(pipeline),
        *_use(pipeline.spec.store.database_secret_ref, "spec.store.databaseSecretRef"),
        *_privacy(pipeline),
    ]
    for index, webhook in enumerate(pipeline.spec.alerts.webhooks):
        uses += _use(webhook.url_secret_ref, f"spec.alerts.webhooks[{index}].urlSecretRef")
    if model is not None:
        uses += _use(_api_key(model), "AnomalyModel spec.explanation.openAI.apiKeySecretRef")
        uses += _use(model.spec.storage.credentials_secret_ref, "AnomalyModel spec.storage.credentialsSecretRef")
    return uses


def pipeline_secrets(pipeline: LogPipeline) -> list[SecretUse]:
    """Return all Secrets that a pipeline names, each once."""
    http = ingest_secrets(pipeline) if pipeline.spec.collect.http.enabled else []
    return _unique([*collector_secrets(pipeline), *http, *detector_secrets(pipeline, None)])


def training_secrets(model: AnomalyModel) -> list[SecretUse]:
    """Return what a training needs; their keys become environment variables."""
    return [
        *_use(model.spec.base.credentials_secret_ref, "spec.base.credentialsSecretRef"),
        *_use(model.spec.storage.credentials_secret_ref, "spec.storage.credentialsSecretRef"),
    ]


def topic_secrets(pipelines: Iterable[LogPipeline]) -> list[SecretUse]:
    """Return what a training needs that reads the raw topics of pipelines, each Secret once."""
    return _unique(
        [
            SecretUse(use.name, f"LogPipeline {pipeline.name} {use.field}")
            for pipeline in pipelines
            for use in [*kafka_secrets(pipeline), *_privacy(pipeline)]
        ]
    )


def model_secrets(model: AnomalyModel) -> list[SecretUse]:
    """Return all Secrets that a model names, each once."""
    return _unique([*training_secrets(model), *_use(_api_key(model), "spec.explanation.openAI.apiKeySecretRef")])


def _api_key(model: AnomalyModel) -> SecretKeyRef | None:
    endpoint = model.spec.explanation.openai
    return None if endpoint is None else endpoint.api_key_secret_ref


def _unique(uses: list[SecretUse]) -> list[SecretUse]:
    return list({use.name: use for use in reversed(uses)}.values())[::-1]


def secret_volumes(
    uses: list[SecretUse], folder: str = SECRETS_FOLDER
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return volumes and mounts that put each Secret at ``FOLDER/NAME/KEY``."""
    names = sorted({use.name for use in uses})
    volumes = [
        {"name": f"secret-{index}", "secret": {"secretName": name, "defaultMode": _MODE}}
        for index, name in enumerate(names)
    ]
    mounts = [
        {"name": f"secret-{index}", "mountPath": f"{folder}/{name}", "readOnly": True}
        for index, name in enumerate(names)
    ]
    return volumes, mounts


def secret_environment(names: list[str]) -> list[dict[str, Any]]:
    """Return sources that make every key of the Secrets an environment variable."""
    return [{"secretRef": {"name": name}} for name in sorted(set(names))]
