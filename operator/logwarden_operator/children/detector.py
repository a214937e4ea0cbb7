"""The detector: a Deployment on CPU with ONNX Runtime, or on GPUs with torch."""

from __future__ import annotations

from typing import Any

from logwarden.api.anomaly_model import AnomalyModel
from logwarden.api.log_pipeline import LogPipeline
from logwarden_operator.children.documents import CLAIM_FOLDER, data_folder, pod_documents, storage_claim
from logwarden_operator.children.pods import (
    CONFIG_HASH,
    METRICS_PORT,
    RESOURCES_FILE,
    SECRETS_FOLDER,
    asks_for_gpu,
    compute,
    config_volume,
    data_volumes,
    environment,
    fingerprint,
    placement,
)
from logwarden_operator.children.secrets import detector_secrets, secret_environment, secret_volumes
from logwarden_operator.children.workloads import (
    config_map,
    container,
    deployment,
    disruption_budget,
    metrics_port,
    pod_template,
    probes,
)
from logwarden_operator.context import SCALED_OBJECT, Context
from logwarden_operator.ownership import Child

COMPONENT = "detector"
_START_MINUTES = 30
"""The first one after an upgrade may have to change the tables of a large store; killed meanwhile, it begins anew."""
ARGS = [
    "run", "detector", "-f", RESOURCES_FILE, "--secrets", SECRETS_FOLDER, "--metrics-port", str(METRICS_PORT),
]  # fmt: skip


def scaled_by_keda(context: Context) -> bool:
    """Whether KEDA decides the number of detectors."""
    return context.settings.autoscaling and context.has(SCALED_OBJECT)


def detector(pipeline: LogPipeline, model: AnomalyModel, context: Context, pinned: str | None) -> list[Child]:
    """Return ConfigMap, Deployment and disruption budget."""
    owner = context.owner
    name = f"{owner.name}-{COMPONENT}"
    documents = pod_documents(model, [pipeline], owner.namespace, pinned)
    replicas = None if scaled_by_keda(context) else max(1, model.spec.serving.replicas.min)
    template = pod_template(
        context, COMPONENT, {CONFIG_HASH: fingerprint(documents)}, _pod(pipeline, model, context, name)
    )
    return [
        config_map(context, COMPONENT, name, {"resources.yaml": documents}),
        deployment(context, COMPONENT, replicas, template),
        disruption_budget(context, COMPONENT),
    ]


def _pod(pipeline: LogPipeline, model: AnomalyModel, context: Context, name: str) -> dict[str, Any]:
    images, serving = context.settings.images, model.spec.serving
    config, config_mount = config_volume(name)
    secrets, secret_mounts = secret_volumes(detector_secrets(pipeline, model))
    data, data_mounts = data_volumes()
    models, model_mounts = _models(model)
    on_gpu = asks_for_gpu(serving.resources)
    return {
        **placement(context.settings, serving.resources),
        "volumes": [config, *secrets, *data, *models],
        "containers": [
            container(
                COMPONENT,
                # The trainer's image is a detector's with torch.
                images.trainer if on_gpu else images.detector,
                images.pull_policy,
                [*ARGS, "--device", "cuda"] if on_gpu else ARGS,
                env=environment(data_folder(model)),
                **_credentials(model),
                ports=[metrics_port()],
                resources=compute(serving.resources, cpu="250m", memory="2Gi" if on_gpu else "512Mi"),
                volumeMounts=[config_mount, *secret_mounts, *data_mounts, *model_mounts],
                **probes(_START_MINUTES),
            )
        ],
    }


def _credentials(model: AnomalyModel) -> dict[str, Any]:
    """Return the environment from the Secret of the storage, where one is named."""
    ref = model.spec.storage.credentials_secret_ref
    return {} if ref is None else {"envFrom": secret_environment([ref.name])}


def _models(model: AnomalyModel) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return volume and mount of the revisions, which a detector only reads."""
    claim = storage_claim(model)
    if claim is None:
        return [], []
    volume = {"name": "models", "persistentVolumeClaim": {"claimName": claim.name, "readOnly": True}}
    return [volume], [{"name": "models", "mountPath": CLAIM_FOLDER, "readOnly": True}]
