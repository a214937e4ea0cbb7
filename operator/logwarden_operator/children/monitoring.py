"""What the Prometheus operator reads: where metrics are, and when somebody has to be told."""

from __future__ import annotations

from typing import Any

from logwarden.api.log_pipeline import LogPipeline
from logwarden_operator.context import POD_MONITOR, PROMETHEUS_RULE, Context
from logwarden_operator.ownership import COMPONENT, OWNER_KIND, OWNER_NAME, Child

_GROUP = "monitoring.coreos.com/v1"
_NAME = "monitoring"
_COMPONENTS = ("collector", "ingest", "detector")
"""All that there can be: what runs is found by its labels, also while its model has a mistake."""


def monitoring(pipeline: LogPipeline, context: Context, components: list[str]) -> list[Child]:
    """Return a PodMonitor and a PrometheusRule, each where its CRD exists."""
    if not context.settings.monitoring.enabled or not components:
        return []
    children = []
    if context.has(POD_MONITOR):
        children.append(_pod_monitor(context))
    if context.has(PROMETHEUS_RULE):
        children.append(_rules(pipeline, context))
    return children


def _child(context: Context, kind: str, spec: dict[str, Any]) -> Child:
    child = context.owner.child(_GROUP, kind, context.owner.name, _NAME, spec=spec)
    child["metadata"]["labels"].update(context.settings.monitoring.labels)
    return child


def _pod_monitor(context: Context) -> Child:
    owner = context.owner
    chosen = {"key": COMPONENT, "operator": "In", "values": list(_COMPONENTS)}
    spec = {
        "selector": {
            "matchLabels": {OWNER_KIND: owner.kind, OWNER_NAME: owner.name},
            "matchExpressions": [chosen],
        },
        "podTargetLabels": [OWNER_NAME, COMPONENT],
        "podMetricsEndpoints": [{"port": "metrics", "interval": "30s"}],
    }
    return _child(context, "PodMonitor", spec)


def _rules(pipeline: LogPipeline, context: Context) -> Child:
    """Return alerts on what Kubernetes itself reports, so that they need no agreement on the names of our metrics."""
    owner = context.owner
    where = f'namespace="{owner.namespace}"'
    rules = [
        _alert(
            "LogwardenCollectorDown",
            f'kube_daemonset_status_number_unavailable{{{where},daemonset="{owner.name}-collector"}} > 0',
            "Some nodes of LogPipeline {name} collect no logs.",
            owner.name,
        ),
        _alert(
            "LogwardenDetectorDown",
            f'kube_deployment_status_replicas_available{{{where},deployment="{owner.name}-detector"}} == 0',
            "No detector of LogPipeline {name} is available: logs wait in Kafka.",
            owner.name,
        ),
    ]
    return _child(context, "PrometheusRule", {"groups": [{"name": f"logwarden.{owner.name}", "rules": rules}]})


def _alert(name: str, expression: str, summary: str, pipeline: str) -> dict[str, Any]:
    return {
        "alert": name,
        "expr": expression,
        "for": "10m",
        "labels": {"severity": "warning", "pipeline": pipeline},
        "annotations": {"summary": summary.format(name=pipeline)},
    }
