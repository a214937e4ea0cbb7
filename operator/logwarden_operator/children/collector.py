"""The collector: syslog-ng on every node, with a reliable buffer on the node's disk."""

from __future__ import annotations

from typing import Any

from logwarden.api.log_pipeline import LogPipeline
from logwarden_operator.children.documents import pod_documents
from logwarden_operator.children.pods import (
    CONFIG_HASH,
    METRICS_PORT,
    fingerprint,
    placement,
    protocol,
    restricted_container,
)
from logwarden_operator.children.secrets import collector_secrets, secret_volumes
from logwarden_operator.children.syslog_ng import (
    BUFFER_FOLDER,
    CONFIG_FOLDER,
    CONFIG_KEY,
    NODE_LOGS,
    NODE_VARIABLE,
    RUN_FOLDER,
    check_command,
    render,
    start_command,
)
from logwarden_operator.children.workloads import config_map, metrics_port, service
from logwarden_operator.context import Context
from logwarden_operator.ownership import Child

COMPONENT = "collector"
GRACE_SECONDS = 90
"""syslog-ng can take over a minute to leave a transaction of Kafka."""

_FIRST_UNPRIVILEGED_PORT = 1024


def collector(pipeline: LogPipeline, context: Context) -> list[Child]:
    """Return ConfigMap, DaemonSet and Service, or nothing where no syslog is collected."""
    collect = pipeline.spec.collect
    if not collect.nodes and not collect.syslog.listeners:
        return []
    name = f"{context.owner.name}-{COMPONENT}"
    text = render(pipeline, context)
    documents = pod_documents(None, [pipeline], context.owner.namespace)
    return [
        config_map(context, COMPONENT, name, {CONFIG_KEY: text, "resources.yaml": documents}),
        # Only what syslog-ng reads: other edits of the pipeline, such as of its alerts, must not replace collectors.
        _daemon_set(pipeline, context, name, fingerprint(text)),
        *_service(pipeline, context),
    ]


def _daemon_set(pipeline: LogPipeline, context: Context, name: str, config_hash: str) -> Child:
    owner = context.owner
    spec = {
        "revisionHistoryLimit": 3,
        "selector": {"matchLabels": owner.pod_selector(COMPONENT)},
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
        "template": {
            # A reload of syslog-ng would drop what is queued: a changed configuration rolls the pods instead.
            "metadata": {"labels": owner.labels(COMPONENT), "annotations": {CONFIG_HASH: config_hash}},
            "spec": _pod(pipeline, context, name),
        },
    }
    return owner.child("apps/v1", "DaemonSet", name, COMPONENT, spec=spec)


def _pod(pipeline: LogPipeline, context: Context, name: str) -> dict[str, Any]:
    volumes, mounts = _volumes(pipeline, context, name)
    return {
        **placement(context.settings),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "volumes": volumes,
        # A changed configuration was checked by a Job before; this one also meets a new image, and the first start.
        "initContainers": [collector_container(pipeline, context, "check", check_command(pipeline), mounts)],
        "containers": [
            {
                **collector_container(pipeline, context, COMPONENT, start_command(pipeline), mounts),
                "ports": _container_ports(pipeline),
                "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}},
            },
            _counters(context),
        ],
    }


def _counters(context: Context) -> dict[str, Any]:
    """Return the container that reads syslog-ng's counters from its control socket and serves them.

    The socket is root's, so this is root too, without any capability.
    """
    images = context.settings.images
    args = ["collector", "metrics", "-f", f"{CONFIG_FOLDER}/resources.yaml", "--address", "0.0.0.0"]  # noqa: S104
    return {
        "name": "metrics",
        "image": images.ingest,
        "imagePullPolicy": images.pull_policy,
        "command": ["logwarden", *args, "--port", str(METRICS_PORT)],
        "ports": [metrics_port()],
        "resources": {"requests": {"cpu": "10m", "memory": "48Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": {**restricted_container(), "runAsNonRoot": False, "runAsUser": 0},
        "volumeMounts": [
            {"name": "config", "mountPath": CONFIG_FOLDER, "readOnly": True},
            {"name": "run", "mountPath": RUN_FOLDER},
        ],
    }


def collector_container(
    pipeline: LogPipeline, context: Context, name: str, command: list[str], mounts: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return a container with syslog-ng, with the privileges of a collector."""
    images = context.settings.images
    return {
        "name": name,
        "image": images.collector,
        "imagePullPolicy": images.pull_policy,
        "command": command,
        "env": [
            # Part of the transactional id: two pods with the same one would fence each other off.
            {"name": NODE_VARIABLE, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "spec.nodeName"}}},
        ],
        "securityContext": _privileges(pipeline),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": mounts,
    }


def _privileges(pipeline: LogPipeline) -> dict[str, Any]:
    """Return the least that writing to the node's disk and reading its logs needs: root, with few capabilities."""
    added = ["DAC_READ_SEARCH"] if pipeline.spec.collect.nodes else []
    if any(listener.port < _FIRST_UNPRIVILEGED_PORT for listener in pipeline.spec.collect.syslog.listeners):
        added.append("NET_BIND_SERVICE")
    capabilities = {"drop": ["ALL"], **({"add": added} if added else {})}
    return {
        "runAsUser": 0,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": capabilities,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def _volumes(pipeline: LogPipeline, context: Context, name: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return volumes and mounts. Buffer and persist file outlive the pod; each pipeline has a folder of its own."""
    buffer = pipeline.spec.collect.buffer
    folder = f"{buffer.path.rstrip('/')}/{context.owner.namespace}/{context.owner.name}"
    secrets, secret_mounts = secret_volumes(collector_secrets(pipeline))
    volumes: list[dict[str, Any]] = [
        {"name": "config", "configMap": {"name": name}},
        {"name": "buffer", "hostPath": {"path": folder, "type": "DirectoryOrCreate"}},
        {"name": "run", "emptyDir": {"medium": "Memory"}},
        *secrets,
    ]
    mounts: list[dict[str, Any]] = [
        {"name": "config", "mountPath": CONFIG_FOLDER, "readOnly": True},
        {"name": "buffer", "mountPath": BUFFER_FOLDER},
        {"name": "run", "mountPath": RUN_FOLDER},
        *secret_mounts,
    ]
    if pipeline.spec.collect.nodes:
        for volume, path in NODE_LOGS.items():
            volumes.append({"name": volume, "hostPath": {"path": path, "type": ""}})
            mounts.append({"name": volume, "mountPath": path, "readOnly": True})
    return volumes, mounts


def _container_ports(pipeline: LogPipeline) -> list[dict[str, Any]]:
    return [
        {"name": listener.name, "containerPort": listener.port, "protocol": protocol(listener.transport)}
        for listener in pipeline.spec.collect.syslog.listeners
    ]


def _service(pipeline: LogPipeline, context: Context) -> list[Child]:
    """Return the Service. From outside, only the node's own pod answers, which keeps the sender's address."""
    syslog = pipeline.spec.collect.syslog
    if not syslog.listeners:
        return []
    ports = [
        {
            "name": listener.name,
            "port": listener.port,
            "targetPort": listener.name,
            "protocol": protocol(listener.transport),
        }
        for listener in syslog.listeners
    ]
    kind = syslog.service.type
    outside = {} if kind == "ClusterIP" else {"externalTrafficPolicy": "Local"}
    child = service(context, COMPONENT, ports, type=kind, **outside)
    if syslog.service.annotations:
        child["metadata"]["annotations"] = dict(syslog.service.annotations)
    return [child]
