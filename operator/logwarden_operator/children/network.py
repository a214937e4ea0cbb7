"""Network policies: each component is reached on its own ports and its metrics, and on nothing else."""

from __future__ import annotations

from typing import Any

from logwarden.api.log_pipeline import LogPipeline
from logwarden_operator.children.ingest import HTTP_PORT
from logwarden_operator.children.pods import METRICS_PORT, protocol
from logwarden_operator.children.training import COMPONENT as TRAINING
from logwarden_operator.context import Context
from logwarden_operator.ownership import Child

Port = dict[str, Any]
_METRICS: Port = {"port": METRICS_PORT, "protocol": "TCP"}


def network_policies(pipeline: LogPipeline, context: Context, components: list[str]) -> list[Child]:
    """Return a policy for each of the given components. What a component may call is left open."""
    if not context.settings.network_policies:
        return []
    return [_policy(context, component, [{"ports": _ports(pipeline, component)}]) for component in components]


def training_policies(context: Context) -> list[Child]:
    """Return the policy of pods that share a training: they talk to each other, on ports that they choose."""
    if not context.settings.network_policies:
        return []
    peers = {"podSelector": {"matchLabels": context.owner.pod_selector(TRAINING)}}
    return [_policy(context, TRAINING, [{"from": [peers]}, {"ports": [_METRICS]}])]


def _ports(pipeline: LogPipeline, component: str) -> list[Port]:
    match component:
        case "collector":
            listeners = pipeline.spec.collect.syslog.listeners
            return [*({"port": one.port, "protocol": protocol(one.transport)} for one in listeners), _METRICS]
        case "ingest":
            return [{"port": HTTP_PORT, "protocol": "TCP"}, _METRICS]
        case _:
            return [_METRICS]


def _policy(context: Context, component: str, ingress: list[dict[str, Any]]) -> Child:
    owner = context.owner
    spec = {
        "podSelector": {"matchLabels": owner.pod_selector(component)},
        "policyTypes": ["Ingress"],
        "ingress": ingress,
    }
    return owner.child("networking.k8s.io/v1", "NetworkPolicy", f"{owner.name}-{component}", component, spec=spec)
