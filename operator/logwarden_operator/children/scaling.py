"""Autoscaling of detectors by consumer lag, where KEDA is installed."""

from __future__ import annotations

from typing import Any

from logwarden.api.anomaly_model import AnomalyModel
from logwarden.api.log_pipeline import KafkaSpec, LogPipeline
from logwarden_operator.children.detector import COMPONENT, scaled_by_keda
from logwarden_operator.context import Context
from logwarden_operator.ownership import Child

_SASL_NAMES = {"PLAIN": "plaintext", "SCRAM-SHA-256": "scram_sha256", "SCRAM-SHA-512": "scram_sha512"}


def scaling(pipeline: LogPipeline, model: AnomalyModel, context: Context) -> list[Child]:
    """Return the ScaledObject and, where Kafka asks for credentials, how KEDA gets them."""
    kafka = pipeline.spec.kafka
    if kafka is None or not scaled_by_keda(context):
        return []
    name = f"{context.owner.name}-{COMPONENT}"
    authentication = _authentication(kafka, context, name)
    trigger: dict[str, Any] = {"type": "kafka", "metadata": _metadata(kafka, pipeline, model, context)}
    if authentication:
        trigger["authenticationRef"] = {"name": name}
    replicas = model.spec.serving.replicas
    spec = {
        "scaleTargetRef": {"name": name},
        "minReplicaCount": replicas.min,
        "maxReplicaCount": replicas.max,
        "triggers": [trigger],
    }
    scaled = context.owner.child("keda.sh/v1alpha1", "ScaledObject", name, COMPONENT, spec=spec)
    return [*authentication, scaled]


def _metadata(kafka: KafkaSpec, pipeline: LogPipeline, model: AnomalyModel, context: Context) -> dict[str, str]:
    """Return the trigger's values, all of them texts.

    A transaction leaves a marker that counts as a lag of one in each partition: only more than that wakes a detector.
    """
    security: dict[str, str] = {}
    if kafka.tls is not None:
        security["tls"] = "enable"
    if kafka.sasl is not None:
        security["sasl"] = _SASL_NAMES[kafka.sasl.mechanism]
    return {
        "bootstrapServers": kafka.address(context.owner.namespace),
        "consumerGroup": pipeline.consumer_group,
        "topic": kafka.topic.name,
        "lagThreshold": str(model.spec.serving.replicas.lag_per_replica),
        "activationLagThreshold": str(kafka.topic.partitions),
        "offsetResetPolicy": "earliest",
        "limitToPartitionsWithLag": "true",
        **security,
    }


def _authentication(kafka: KafkaSpec, context: Context, name: str) -> list[Child]:
    secrets: list[dict[str, str]] = []
    if kafka.tls is not None:
        if ca := kafka.tls.ca_secret_ref:
            secrets.append(_parameter("ca", ca.name, ca.key))
        if certificate := kafka.tls.certificate_secret_ref:
            secrets.append(_parameter("cert", certificate.name, "tls.crt"))
            secrets.append(_parameter("key", certificate.name, "tls.key"))
    if kafka.sasl is not None:
        credentials = kafka.sasl.credentials_secret_ref.name
        secrets += [_parameter(key, credentials, key) for key in ("username", "password")]
    if not secrets:
        return []
    spec = {"secretTargetRef": secrets}
    return [context.owner.child("keda.sh/v1alpha1", "TriggerAuthentication", name, COMPONENT, spec=spec)]


def _parameter(parameter: str, secret: str, key: str) -> dict[str, str]:
    return {"parameter": parameter, "name": secret, "key": key}
