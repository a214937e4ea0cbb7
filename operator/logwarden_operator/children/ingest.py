"""The HTTP endpoint: a Deployment and its Service."""

from __future__ import annotations

from typing import Any

from logwarden.api.anomaly_model import AnomalyModel
from logwarden.api.base import API_VERSION
from logwarden.api.log_pipeline import LogPipeline
from logwarden_operator.children.documents import pod_documents
from logwarden_operator.children.pods import (
    CONFIG_HASH,
    METRICS_PORT,
    RESOURCES_FILE,
    SECRETS_FOLDER,
    config_volume,
    data_volumes,
    environment,
    fingerprint,
    placement,
)
from logwarden_operator.children.secrets import ingest_secrets, secret_volumes
from logwarden_operator.children.workloads import (
    config_map,
    container,
    deployment,
    disruption_budget,
    metrics_port,
    pod_template,
    probes,
    service,
)
from logwarden_operator.context import Context
from logwarden_operator.ownership import Child

COMPONENT = "ingest"
REPLICAS = 2
HTTP_PORT = 8080
"""Of the pods, whatever port their Service has: they may not bind one below 1024, and 9090 is taken by metrics."""
_LEAVE_SECONDS = 5
"""So long a pod that has to go still answers: nodes take a moment to learn that it is no longer behind the Service."""
ARGS = [
    "run", "ingest", "-f", RESOURCES_FILE, "--secrets", SECRETS_FOLDER, "--metrics-port", str(METRICS_PORT),
    "--port", str(HTTP_PORT),
]  # fmt: skip


def ingest(pipeline: LogPipeline, context: Context) -> list[Child]:
    """Return ConfigMap, Deployment, Service and disruption budget, or nothing where logs are not taken by HTTP.

    The endpoint does not look at the model: its file has an empty one, so that it neither waits for the real one nor is
    replaced when that changes.
    """
    http = pipeline.spec.collect.http
    if not http.enabled:
        return []
    name = f"{context.owner.name}-{COMPONENT}"
    documents = pod_documents(_any_model(pipeline), [pipeline], context.owner.namespace)
    template = pod_template(context, COMPONENT, {CONFIG_HASH: fingerprint(documents)}, _pod(pipeline, context, name))
    port = {"name": "http", "port": http.port, "targetPort": "http", "protocol": "TCP"}
    return [
        config_map(context, COMPONENT, name, {"resources.yaml": documents}),
        deployment(context, COMPONENT, REPLICAS, template),
        service(context, COMPONENT, [port]),
        disruption_budget(context, COMPONENT),
    ]


def _any_model(pipeline: LogPipeline) -> AnomalyModel:
    header = {"apiVersion": API_VERSION, "kind": "AnomalyModel"}
    return AnomalyModel.model_validate({**header, "metadata": {"name": pipeline.spec.detect.model_ref.name}})


def _arguments(pipeline: LogPipeline) -> list[str]:
    """Return the arguments. Who names no Secret with a token lets anyone send; the program wants that said aloud."""
    return [*ARGS, *(["--anonymous"] if pipeline.spec.collect.http.token_secret_ref is None else [])]


def _pod(pipeline: LogPipeline, context: Context, name: str) -> dict[str, Any]:
    images = context.settings.images
    config, config_mount = config_volume(name)
    secrets, secret_mounts = secret_volumes(ingest_secrets(pipeline))
    data, data_mounts = data_volumes()
    http = {"name": "http", "containerPort": HTTP_PORT, "protocol": "TCP"}
    return {
        **placement(context.settings),
        "volumes": [config, *secrets, *data],
        "containers": [
            container(
                COMPONENT,
                images.ingest,
                images.pull_policy,
                _arguments(pipeline),
                env=environment(),
                ports=[http, metrics_port()],
                resources={"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}},
                volumeMounts=[config_mount, *secret_mounts, *data_mounts],
                lifecycle={"preStop": {"exec": {"command": ["sleep", str(_LEAVE_SECONDS)]}}},
                **probes(),
            )
        ],
    }
