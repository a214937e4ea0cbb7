"""Names and addresses in Kafka, and the KafkaTopics of a pipeline."""

from __future__ import annotations

from logwarden.api.base import duration_seconds
from logwarden.api.log_pipeline import KafkaSpec, LogPipeline, TopicSpec
from logwarden_operator.context import KAFKA_TOPIC, Context
from logwarden_operator.ownership import Child

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


def _topic(kafka: KafkaSpec, context: Context, part: str, name: str, retention: str) -> Child:
    assert kafka.strimzi is not None
    owner = context.owner
    labels = {"strimzi.io/cluster": kafka.strimzi.cluster}
    topic = owner.child("kafka.strimzi.io/v1", "KafkaTopic", f"{owner.namespace}.{owner.name}.{part}", f"topic-{part}")
    metadata = topic["metadata"]
    metadata["labels"].update(labels)
    namespace = kafka.strimzi.namespace or owner.namespace
    if namespace != owner.namespace:
        metadata["namespace"] = namespace
        del metadata["ownerReferences"]
    topic["spec"] = {
        "topicName": name,
        "partitions": kafka.topic.partitions if part == "raw" else 1,
        "replicas": kafka.topic.replicas,
        "config": {
            "retention.ms": duration_seconds(retention) * 1000,
            "min.insync.replicas": min(_MOST_INSYNC, max(1, kafka.topic.replicas - 1)),
        },
    }
    return topic
