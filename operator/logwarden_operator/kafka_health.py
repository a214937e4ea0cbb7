"""Whether the topics of a pipeline are there."""

from __future__ import annotations

from collections import Counter

from logwarden.api.log_pipeline import KafkaSpec
from logwarden_operator.conditions import Condition, false, true, unknown
from logwarden_operator.context import KAFKA_TOPIC, KAFKA_USER
from logwarden_operator.ownership import Child

_TYPE = "TopicReady"


def topic_condition(kafka: KafkaSpec, topics: list[Child], available: frozenset[str]) -> Condition:
    """Return TopicReady, from what Strimzi's operators say about each KafkaTopic and the KafkaUser."""
    if kafka.strimzi is None:
        return true(_TYPE, "NotManaged", f"topics are expected to exist at {kafka.bootstrap_servers}")
    if KAFKA_TOPIC not in available or (kafka.strimzi.user is not None and KAFKA_USER not in available):
        return false(
            _TYPE,
            "StrimziMissing",
            "the cluster has no KafkaTopic and KafkaUser (kafka.strimzi.io/v1): install Strimzi 1.0 or newer, or name "
            "spec.kafka.bootstrapServers",
        )
    for topic in sorted(topics, key=lambda topic: str(topic["metadata"]["name"])):
        if (condition := _not_ready(topic)) is not None:
            return condition
    return true(_TYPE, "TopicsReady", f"{', '.join(_counted(topics))} ready")


def _counted(objects: list[Child]) -> list[str]:
    kinds = Counter(child["kind"] for child in objects)
    return [f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in kinds.items()]


def _not_ready(topic: Child) -> Condition | None:
    operator = "topic operator" if topic["kind"] == "KafkaTopic" else "user operator"
    name = f"{topic['kind']} {topic['metadata']['namespace']}/{topic['metadata']['name']}"
    status = topic.get("status") or {}
    found = next((one for one in status.get("conditions", []) if one.get("type") == "Ready"), None)
    if found is None or status.get("observedGeneration", 0) < topic["metadata"].get("generation", 0):
        return unknown(_TYPE, "WaitingForStrimzi", f"{name}: Strimzi's {operator} has not reported on it yet")
    if found.get("status") == "True":
        return None
    return false(_TYPE, found.get("reason") or "NotReady", f"{name}: {found.get('message', 'not ready')}")
