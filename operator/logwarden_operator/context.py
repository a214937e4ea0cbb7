"""What the builders of children know besides the resource."""

from __future__ import annotations

from dataclasses import dataclass

from logwarden_operator.ownership import Owner
from logwarden_operator.settings import Settings

KAFKA_TOPIC = "kafkatopics.kafka.strimzi.io"
KAFKA_USER = "kafkausers.kafka.strimzi.io"
SCALED_OBJECT = "scaledobjects.keda.sh"
POD_MONITOR = "podmonitors.monitoring.coreos.com"
PROMETHEUS_RULE = "prometheusrules.monitoring.coreos.com"
OPTIONAL_CRDS = (KAFKA_TOPIC, KAFKA_USER, SCALED_OBJECT, POD_MONITOR, PROMETHEUS_RULE)


@dataclass(frozen=True, slots=True)
class Context:
    """The owner, the installation's settings, and which optional CRDs the cluster has (``plural.group``)."""

    owner: Owner
    settings: Settings
    available: frozenset[str] = frozenset()

    def has(self, crd: str) -> bool:
        """Whether the cluster has an optional kind."""
        return crd in self.available
