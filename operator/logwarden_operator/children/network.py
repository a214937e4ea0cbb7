"""Network policies: each component is reached on its own ports and its metrics, and on nothing else."""

from __future__ import annotations

from typing import Any

from logwarden.api.log_pipeline import LogPipeline
from logwarden_operator.children.ingest import HTTP_PORT
from logwarden_operator.children.pods import METRICS_PORT, protocol
from logwarden_operator.context import Context
from logwarden_operator.ownership import Child

Port = dict[str, Any]


def network_policies(pipeline: LogPipeline, context: Context, components: list[str]) -> list[Child]:
    """Return a policy for each of the given components. What a component may call is left open."""
    if not context.settings.network_policies:
        return []
    return [_policy(context, component, _ports(pipeline, component)) for component in components]


def _ports(pipeline: LogPipeline, component: str) -> list[Port]:
    metrics = {"port": METRICS_PORT, "protocol": "TCP"}
    match component:
        case "collector":
            listeners = pipeline.spec.collect.syslog.listeners
            return [*({"port": one.port, "protocol": protocol(one.transport)} for one in listeners), metrics]
        case "ingest":
            return [{"port": HTTP_PORT, "protocol": "TCP"}, metrics]
        case _:
            return [metrics]


def _policy(context: Context, component: str, ports: list[Port]) -> Child:
    owner = context.owner
    spec = {
        "podSelector": {"matchLabels": owner.pod_selector(component)},
        "policyTypes": ["Ingress"],
        "ingress": [{"ports": ports}],
    }
    return owner.child("networking.k8s.io/v1", "NetworkPolicy", f"{owner.name}-{component}", component, spec=spec)
