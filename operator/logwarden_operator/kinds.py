"""The kinds that the operator reads or makes, and their paths at the API server."""

from __future__ import annotations

from typing import NamedTuple

from logwarden.api.anomaly_model import AnomalyModel
from logwarden.api.base import API_VERSION
from logwarden.api.log_pipeline import LogPipeline
from logwarden_operator.context import KAFKA_TOPIC, KAFKA_USER, POD_MONITOR, PROMETHEUS_RULE, SCALED_OBJECT


class ApiKind(NamedTuple):
    """A kind at the API server. ``crd`` names the optional definition without which it does not exist."""

    api_version: str
    kind: str
    plural: str
    crd: str | None = None
    create_only: bool = False
    """Whether it is never changed once it is there: its spec cannot be, or must not be."""

    @property
    def group(self) -> str:
        """The API group, empty for the core."""
        return self.api_version.rpartition("/")[0]

    def path(self, namespace: str | None, name: str | None = None) -> str:
        """Return the path of one object, or of all of a namespace, or of all."""
        root = "/api" if "/" not in self.api_version else "/apis"
        scope = f"/namespaces/{namespace}" if namespace else ""
        return f"{root}/{self.api_version}{scope}/{self.plural}" + (f"/{name}" if name else "")


ANOMALY_MODEL = ApiKind(API_VERSION, "AnomalyModel", AnomalyModel.PLURAL)
LOG_PIPELINE = ApiKind(API_VERSION, "LogPipeline", LogPipeline.PLURAL)
CONFIG_MAP = ApiKind("v1", "ConfigMap", "configmaps")
SECRET = ApiKind("v1", "Secret", "secrets")
POD = ApiKind("v1", "Pod", "pods")
EVENT = ApiKind("v1", "Event", "events")
CLAIM = ApiKind("v1", "PersistentVolumeClaim", "persistentvolumeclaims", create_only=True)
SERVICE = ApiKind("v1", "Service", "services")
DEPLOYMENT = ApiKind("apps/v1", "Deployment", "deployments")
DAEMON_SET = ApiKind("apps/v1", "DaemonSet", "daemonsets")
JOB = ApiKind("batch/v1", "Job", "jobs", create_only=True)
CRON_JOB = ApiKind("batch/v1", "CronJob", "cronjobs")
DISRUPTION_BUDGET = ApiKind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")
NETWORK_POLICY = ApiKind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies")
TOPIC = ApiKind("kafka.strimzi.io/v1", "KafkaTopic", "kafkatopics", KAFKA_TOPIC)
KAFKA_ACCOUNT = ApiKind("kafka.strimzi.io/v1", "KafkaUser", "kafkausers", KAFKA_USER)
STRIMZI = (TOPIC, KAFKA_ACCOUNT)
"""Kinds of which objects lie in Kafka's namespace."""
SCALED = ApiKind("keda.sh/v1alpha1", "ScaledObject", "scaledobjects", SCALED_OBJECT)
TRIGGER_AUTHENTICATION = ApiKind("keda.sh/v1alpha1", "TriggerAuthentication", "triggerauthentications", SCALED_OBJECT)
MONITOR = ApiKind("monitoring.coreos.com/v1", "PodMonitor", "podmonitors", POD_MONITOR)
RULE = ApiKind("monitoring.coreos.com/v1", "PrometheusRule", "prometheusrules", PROMETHEUS_RULE)

PIPELINE_CHILDREN = (
    CONFIG_MAP, SERVICE, DEPLOYMENT, DAEMON_SET, JOB, DISRUPTION_BUDGET, NETWORK_POLICY,
    SCALED, TRIGGER_AUTHENTICATION, MONITOR, RULE, TOPIC, KAFKA_ACCOUNT,
)  # fmt: skip
MODEL_CHILDREN = (CONFIG_MAP, SERVICE, CLAIM, JOB, CRON_JOB, NETWORK_POLICY, MONITOR)
OPTIONAL = (TOPIC, KAFKA_ACCOUNT, SCALED, MONITOR, RULE)

BY_KIND = {kind.kind: kind for kind in (ANOMALY_MODEL, LOG_PIPELINE, *PIPELINE_CHILDREN, *MODEL_CHILDREN)}
