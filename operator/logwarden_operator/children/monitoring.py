"""What the Prometheus operator reads: where metrics are, and when somebody has to be told."""

from __future__ import annotations

import re
from typing import Any

from logwarden.api.log_pipeline import LogPipeline
from logwarden_operator.context import POD_MONITOR, PROMETHEUS_RULE, Context
from logwarden_operator.ownership import COMPONENT, OWNER_KIND, OWNER_NAME, Child, Owner

_GROUP = "monitoring.coreos.com/v1"
_NAME = "monitoring"
_PIPELINE_COMPONENTS = ("collector", "ingest", "detector")
"""All that there can be: what runs is found by its labels, also while its model has a mistake."""
_OWNER_LABEL = re.sub(r"[^a-zA-Z0-9_]", "_", OWNER_NAME)
"""The owner's label as Prometheus writes it."""


def training_monitoring(context: Context) -> list[Child]:
    """Return a PodMonitor for the trainings of a model, where its CRD exists."""
    if not context.settings.monitoring.enabled or not context.has(POD_MONITOR):
        return []
    return [_pod_monitor(context, ("training",))]


def monitoring(pipeline: LogPipeline, context: Context, components: list[str]) -> list[Child]:
    """Return a PodMonitor and a PrometheusRule, each where its CRD exists."""
    if not context.settings.monitoring.enabled or not components:
        return []
    children = []
    if context.has(POD_MONITOR):
        children.append(_pod_monitor(context, _PIPELINE_COMPONENTS))
    if context.has(PROMETHEUS_RULE):
        children.append(_rules(pipeline, context))
    return children


def _child(context: Context, kind: str, spec: dict[str, Any], name: str) -> Child:
    child = context.owner.child(_GROUP, kind, name, _NAME, spec=spec)
    child["metadata"]["labels"].update(context.settings.monitoring.labels)
    return child


def _pod_monitor(context: Context, components: tuple[str, ...]) -> Child:
    owner = context.owner
    chosen = {"key": COMPONENT, "operator": "In", "values": list(components)}
    spec = {
        "selector": {
            "matchLabels": {OWNER_KIND: owner.kind, OWNER_NAME: owner.name},
            "matchExpressions": [chosen],
        },
        "podTargetLabels": [OWNER_NAME, COMPONENT],
        "podMetricsEndpoints": [{"port": "metrics", "interval": "30s"}],
    }
    # A model and a pipeline may have the same name.
    name = owner.name if owner.kind == "LogPipeline" else f"{owner.name}-training"
    return _child(context, "PodMonitor", spec, name)


def _rules(pipeline: LogPipeline, context: Context) -> Child:
    owner, alerts = context.owner, pipeline.spec.alerts
    rules = [
        _alert(name, expression, summary, owner.name, wait)
        for name, expression, summary, wait in _alerts(owner, alerts.loss_percent / 100, alerts.latency_seconds)
    ]
    spec = {"groups": [{"name": f"logwarden.{owner.name}", "rules": rules}]}
    return _child(context, "PrometheusRule", spec, owner.name)


def _alerts(owner: Owner, loss: float, latency: int) -> list[tuple[str, str, str, str]]:
    """Return name, expression, summary and waiting time of each alert.

    Parameters
    ----------
    loss
        Share of lines that may be lost.
    latency
        Seconds within which nearly all lines have to be judged.
    """
    where = f'namespace="{owner.namespace}",{_OWNER_LABEL}="{owner.name}"'
    named = f'namespace="{owner.namespace}"'

    def grown(metric: str) -> str:
        return f"(sum(increase({metric}{{{where}}}[10m])) or vector(0))"

    dropped, kernel = grown("logwarden_collector_dropped_total"), grown("logwarden_collector_kernel_dropped_total")
    lost, stored = grown("logwarden_lines_lost_total"), grown("logwarden_lines_stored_total")
    received = f"{grown('logwarden_collector_received_total')} + {grown('logwarden_ingest_lines_total')}"
    rejected = grown("logwarden_lines_rejected_total")
    quick = f"sum by (le) (rate(logwarden_receive_to_stored_seconds_bucket{{{where}}}[10m]))"
    lag = f"sum(logwarden_lag_lines{{{where}}})"
    return [
        (
            "LogwardenLogsLost",
            f"{dropped} + {kernel} + {lost} > {loss:g} * ({received} + {kernel})",
            "LogPipeline {name} loses lines: the condition FlowHealthy names the step.",
            "0m",
        ),
        (
            "LogwardenDeadLetters",
            f"{rejected} > {max(loss, 0.001):g} * ({stored} + {rejected})",
            "Lines of LogPipeline {name} cannot be read and become dead letters.",
            "5m",
        ),
        (
            "LogwardenSlow",
            f"histogram_quantile(0.99, {quick}) > {latency}",
            "One line in a hundred of LogPipeline {name} is judged too late.",
            "10m",
        ),
        (
            "LogwardenLag",
            f"{lag} > 1000 and {lag} > {stored}",
            "More lines of LogPipeline {name} wait in Kafka than are judged in ten minutes.",
            "10m",
        ),
        (
            "LogwardenBuffering",
            f"sum(logwarden_collector_queued{{{where}}}) > 0 and {grown('logwarden_collector_written_total')} == 0",
            "Kafka takes no line of LogPipeline {name}: they wait in the collectors' buffers.",
            "5m",
        ),
        (
            "LogwardenProblem",
            f"max(logwarden_problem{{{where}}}) > 0 or max(logwarden_ingest_problem{{{where}}}) > 0",
            "A detector or HTTP endpoint of LogPipeline {name} cannot read, store or hand on; its log says why.",
            "5m",
        ),
        (
            "LogwardenCollectorDown",
            f'kube_daemonset_status_number_unavailable{{{named},daemonset="{owner.name}-collector"}} > 0',
            "Some nodes of LogPipeline {name} collect no logs.",
            "10m",
        ),
        (
            "LogwardenDetectorDown",
            f'kube_deployment_status_replicas_available{{{named},deployment="{owner.name}-detector"}} == 0',
            "No detector of LogPipeline {name} is available: logs wait in Kafka.",
            "10m",
        ),
    ]


def _alert(name: str, expression: str, summary: str, pipeline: str, wait: str) -> dict[str, Any]:
    return {
        "alert": name,
        "expr": expression,
        "for": wait,
        "labels": {"severity": "warning", "pipeline": pipeline},
        "annotations": {"summary": summary.format(name=pipeline)},
    }
