"""Names and addresses in Kafka, and the KafkaTopics of a pipeline."""

from __future__ import annotations

from typing import Any

from logwarden.api.base import duration_seconds
from logwarden.api.log_pipeline import KafkaSpec, LogPipeline, StrimziRef, TopicSpec, dead_letters_group
from logwarden_operator.context import KAFKA_TOPIC, KAFKA_USER, Context
from logwarden_operator.ownership import Child, Owner

_LONG_RETENTION = "7d"
_MOST_INSYNC = 2


def topic_names(topic: TopicSpec) -> dict[str, str]:
    """Return the topics of a pipeline by their part: raw logs, anomalies, and what could not be processed."""
    return {"raw": topic.name, "anomalies": topic.anomalies, "dead-letters": topic.dead_letters}


def topics(pipeline: LogPipeline, context: Context) -> list[Child]:
    """Return the KafkaTopics, in Kafka's namespace: Strimzi looks for them nowhere else.

    Owner references cannot cross namespaces, so there the labels alone lead back to the pipeline.
    """
    kafka = pipeline.spec.kafka
    if kafka is None or kafka.strimzi is None or not context.has(KAFKA_TOPIC):
        return []
    retention = {"raw": kafka.topic.retention, "anomalies": _LONG_RETENTION, "dead-letters": _LONG_RETENTION}
    names = topic_names(kafka.topic)
    return [_topic(kafka, context, part, names[part], retention[part]) for part in names]


def kafka_user(pipeline: LogPipeline, context: Context) -> list[Child]:
    """Return the KafkaUser, where one is asked for. Strimzi reads its password from a Secret in Kafka's namespace."""
    kafka = pipeline.spec.kafka
    if kafka is None or kafka.strimzi is None or kafka.strimzi.user is None or not context.has(KAFKA_USER):
        return []
    assert kafka.sasl is not None  # a rule of the contract
    password = {"name": kafka.sasl.credentials_secret_ref.name, "key": "password"}
    spec: dict[str, Any] = {
        "authentication": {"type": "scram-sha-512", "password": {"valueFrom": {"secretKeyRef": password}}},
    }
    if kafka.strimzi.user.authorization == "Simple":
        spec["authorization"] = {"type": "simple", "acls": _rights(pipeline, kafka.topic, context.owner)}
    user = context.owner.child("kafka.strimzi.io/v1", "KafkaUser", kafka.strimzi.user.name, "kafka-user", spec=spec)
    return [_at_home(user, kafka.strimzi, context.owner)]


def _rights(pipeline: LogPipeline, topic: TopicSpec, owner: Owner) -> list[dict[str, Any]]:
    """Return the least that collectors, the HTTP endpoint, detectors and the tool for dead letters need."""
    rights = [
        _right("topic", topic.name, ["Describe", "DescribeConfigs", "Read", "Write"]),
        _right("topic", topic.anomalies, ["Describe", "DescribeConfigs", "Write"]),
        _right("topic", topic.dead_letters, ["Describe", "DescribeConfigs", "Read", "Write"]),
        # By their full names: a prefix would also cover a pipeline whose name goes on after this one's.
        _right("group", pipeline.consumer_group, ["Describe", "Read"]),
        _right("group", dead_letters_group(pipeline.consumer_group), ["Describe", "Read"]),
        _right("transactionalId", f"logwarden-{owner.namespace}/{owner.name}/", ["Describe", "Write"], prefix=True),
    ]
    return [*rights, {"resource": {"type": "cluster"}, "operations": ["IdempotentWrite"]}]


def _right(kind: str, name: str, operations: list[str], *, prefix: bool = False) -> dict[str, Any]:
    resource = {"type": kind, "name": name, "patternType": "prefix" if prefix else "literal"}
    return {"resource": resource, "operations": operations}


def _at_home(child: Child, strimzi: StrimziRef, owner: Owner) -> Child:
    """Return a child as it lies in Kafka's namespace, with the label by which Strimzi finds it."""
    metadata = child["metadata"]
    metadata["labels"]["strimzi.io/cluster"] = strimzi.cluster
    namespace = strimzi.namespace or owner.namespace
    if namespace != owner.namespace:
        metadata["namespace"] = namespace
        del metadata["ownerReferences"]
    return child


def _topic(kafka: KafkaSpec, context: Context, part: str, name: str, retention: str) -> Child:
    assert kafka.strimzi is not None
    owner = context.owner
    topic = owner.child("kafka.strimzi.io/v1", "KafkaTopic", f"{owner.namespace}.{owner.name}.{part}", f"topic-{part}")
    topic["spec"] = {
        "topicName": name,
        "partitions": kafka.topic.partitions if part == "raw" else 1,
        "replicas": kafka.topic.replicas,
        "config": {
            "retention.ms": duration_seconds(retention) * 1000,
            "min.insync.replicas": min(_MOST_INSYNC, max(1, kafka.topic.replicas - 1)),
        },
    }
    return _at_home(topic, kafka.strimzi, owner)
