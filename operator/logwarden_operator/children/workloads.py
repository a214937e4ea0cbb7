"""Deployments, their Services and disruption budgets: what detectors and the HTTP endpoint have in common."""

from __future__ import annotations

from typing import Any

from logwarden_operator.children.pods import METRICS_PORT, USER, restricted_container, restricted_pod, spread
from logwarden_operator.context import Context
from logwarden_operator.ownership import Child

Values = dict[str, Any]
_GRACE_SECONDS = 60


def container(name: str, image: str, pull_policy: str, args: list[str], **fields: Any) -> Values:
    """Return a container that runs as nobody, writes only where it is allowed to, and offers metrics."""
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": pull_policy,
        "command": ["logwarden", *args],
        "securityContext": {**restricted_container(), "runAsUser": USER},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        **fields,
    }


def probes(start_minutes: int = 5) -> Values:
    """Return probes: slow starters have some minutes, and a process that stops answering is restarted."""
    alive: Values = {"httpGet": {"path": "/healthz", "port": "metrics"}, "timeoutSeconds": 5}
    ready: Values = {"httpGet": {"path": "/readyz", "port": "metrics"}, "timeoutSeconds": 5}
    return {
        "startupProbe": {**alive, "periodSeconds": 5, "failureThreshold": 12 * start_minutes},
        "readinessProbe": {**ready, "periodSeconds": 10},
        "livenessProbe": {**alive, "periodSeconds": 20, "failureThreshold": 6},
    }


def metrics_port() -> Values:
    """Return the container port of the metrics."""
    return {"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"}


def pod_template(context: Context, component: str, annotations: dict[str, str], spec: Values) -> Values:
    """Return a restricted pod that needs nothing of the API server."""
    selector = context.owner.pod_selector(component)
    return {
        "metadata": {"labels": context.owner.labels(component), "annotations": annotations},
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": restricted_pod(),
            "terminationGracePeriodSeconds": _GRACE_SECONDS,
            "topologySpreadConstraints": spread(selector),
            **spec,
        },
    }


def deployment(context: Context, component: str, replicas: int | None, template: Values) -> Child:
    """Return a Deployment that starts the new pod before it stops the old one; None leaves the number to KEDA."""
    owner = context.owner
    count = {} if replicas is None else {"replicas": replicas}
    spec = {
        **count,
        "revisionHistoryLimit": 3,
        "selector": {"matchLabels": owner.pod_selector(component)},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": template,
    }
    return owner.child("apps/v1", "Deployment", f"{owner.name}-{component}", component, spec=spec)


def service(context: Context, component: str, ports: list[Values], **spec: Any) -> Child:
    """Return the Service in front of a component."""
    owner = context.owner
    wanted = {"type": "ClusterIP", "selector": owner.pod_selector(component), "ports": ports, **spec}
    return owner.child("v1", "Service", f"{owner.name}-{component}", component, spec=wanted)


def disruption_budget(context: Context, component: str) -> Child:
    """Return a budget that lets nodes be drained one pod at a time."""
    owner = context.owner
    spec = {"maxUnavailable": 1, "selector": {"matchLabels": owner.pod_selector(component)}}
    return owner.child("policy/v1", "PodDisruptionBudget", f"{owner.name}-{component}", component, spec=spec)


def config_map(context: Context, component: str, name: str, data: dict[str, str]) -> Child:
    """Return a ConfigMap."""
    return context.owner.child("v1", "ConfigMap", name, component, data=data)
