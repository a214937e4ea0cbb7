"""The Job that lets syslog-ng check a changed configuration before any running collector is replaced."""

from __future__ import annotations

from typing import Any

from logwarden.api.log_pipeline import LogPipeline
from logwarden_operator.children.collector import COMPONENT as COLLECTOR
from logwarden_operator.children.collector import collector_container
from logwarden_operator.children.documents import pod_documents
from logwarden_operator.children.pods import CONFIG_HASH, placement
from logwarden_operator.children.secrets import collector_secrets, secret_volumes
from logwarden_operator.children.syslog_ng import (
    BUFFER_FOLDER,
    CONFIG_FOLDER,
    CONFIG_KEY,
    RUN_FOLDER,
    check_command,
    render,
)
from logwarden_operator.children.workloads import config_map
from logwarden_operator.context import Context
from logwarden_operator.ownership import COMPONENT as COMPONENT_LABEL
from logwarden_operator.ownership import Child

COMPONENT = "check"
_REFUSED = 1
"""Exit code of syslog-ng for a configuration that it refuses."""
_LONGEST_SECONDS = 600


def config_hash(children: list[Child]) -> str | None:
    """Return the hash of the configuration of the collectors among children, None where there are none."""
    sets = [child for child in children if child["kind"] == "DaemonSet" and _component(child) == COLLECTOR]
    annotations = [one["spec"]["template"]["metadata"].get("annotations", {}) for one in sets]
    return next((one.get(CONFIG_HASH) for one in annotations), None)


def without_collector(children: list[Child]) -> list[Child]:
    """Return children without those of the collectors."""
    return [child for child in children if _component(child) != COLLECTOR]


def _component(child: Child) -> str:
    return str(child["metadata"]["labels"].get(COMPONENT_LABEL))


def check_name(context: Context, hash_: str) -> str:
    """Return the name of Job and ConfigMap for a configuration."""
    return f"{context.owner.name}-check-{hash_[:8]}"


def collector_check(pipeline: LogPipeline, context: Context, hash_: str) -> list[Child]:
    """Return a ConfigMap with the new configuration, and the Job that checks it."""
    name = check_name(context, hash_)
    documents = pod_documents(None, [pipeline], context.owner.namespace)
    data = {CONFIG_KEY: render(pipeline, context), "resources.yaml": documents}
    rules = [
        {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [_REFUSED]}},
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
    ]
    spec = {
        "backoffLimit": 2,
        "activeDeadlineSeconds": _LONGEST_SECONDS,
        "podFailurePolicy": {"rules": rules},
        "template": {
            "metadata": {"labels": context.owner.labels(COMPONENT)},
            "spec": _pod(pipeline, context, name),
        },
    }
    return [
        config_map(context, COMPONENT, name, data),
        context.owner.child("batch/v1", "Job", name, COMPONENT, spec=spec),
    ]


def _pod(pipeline: LogPipeline, context: Context, name: str) -> dict[str, Any]:
    secrets, secret_mounts = secret_volumes(collector_secrets(pipeline))
    mounts: list[dict[str, Any]] = [
        {"name": "config", "mountPath": CONFIG_FOLDER, "readOnly": True},
        {"name": "buffer", "mountPath": BUFFER_FOLDER},
        {"name": "run", "mountPath": RUN_FOLDER},
        *secret_mounts,
    ]
    container = collector_container(pipeline, context, COMPONENT, check_command(pipeline), mounts)
    return {
        **placement(context.settings),
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "volumes": [
            {"name": "config", "configMap": {"name": name}},
            {"name": "buffer", "emptyDir": {}},
            {"name": "run", "emptyDir": {"medium": "Memory"}},
            *secrets,
        ],
        "containers": [
            {**container, "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "256Mi"}}}
        ],
    }
