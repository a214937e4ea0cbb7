"""Training: a Job of one or several pods, and a CronJob for the schedule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from logwarden.api.anomaly_model import AnomalyModel
from logwarden.api.log_pipeline import LogPipeline
from logwarden_operator.children.documents import (
    CLAIM_FOLDER,
    data_folder,
    dataset_claims,
    dataset_folder,
    pod_documents,
    reads_topics,
    storage_claim,
)
from logwarden_operator.children.pods import (
    METRICS_PORT,
    RESOURCES_FILE,
    USER,
    compute,
    config_volume,
    data_volumes,
    environment,
    fingerprint,
    placement,
    restricted_container,
    restricted_pod,
)
from logwarden_operator.children.secrets import secret_environment, secret_volumes, topic_secrets, training_secrets
from logwarden_operator.children.workloads import config_map, metrics_port, service
from logwarden_operator.context import Context
from logwarden_operator.ownership import Child

COMPONENT = "training"
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
RESULT_FILE = "/dev/termination-log"
_SECRETS_FOLDER = "/run/secrets/logwarden"
"""Not below the folder of the resources, which is mounted whole and read-only: nothing can be mounted into it."""
_RETRIES = 3
_GRACE_SECONDS = 120
USER_MISTAKE = 2
"""Exit code of the trainer for what no retry can mend."""
_ABOUT_THE_JOB = ("schedule", "suspend", "resources", "nodes")
_JOB_LABEL = {"apiVersion": "v1", "fieldPath": "metadata.labels['batch.kubernetes.io/job-name']"}
_INDEX = {"apiVersion": "v1", "fieldPath": "metadata.annotations['batch.kubernetes.io/job-completion-index']"}
_RENDEZVOUS_PORT = 29500


def training_hash(model: AnomalyModel, requests: int) -> str:
    """Return the hash of everything that makes a new training worthwhile.

    Compute resources, the schedule and the gate do not belong to it; ``requests`` counts the trainings that were asked
    for by annotation. Defaults are left out, so that a field that a later version adds trains nothing anew.
    """
    parts = {"base", "unit", "training", "threshold"}
    spec = model.spec.model_dump(mode="json", by_alias=True, include=parts, exclude_defaults=True)
    training = spec.get("training", {})
    learned = {key: value for key, value in training.items() if key not in _ABOUT_THE_JOB}
    spec = {key: value for key, value in {**spec, "training": learned}.items() if value}
    return fingerprint([spec, requests])


def job_name(model: AnomalyModel, hash_: str) -> str:
    """Return the name of the Job for a hash: the same settings never train twice.

    The number of pods of a Job cannot be changed, so a Job of several has it in its name.
    """
    nodes = model.spec.training.nodes
    return f"{model.name}-train-{hash_[:8]}" + (f"-x{nodes}" if nodes > 1 else "")


def training_config(
    model: AnomalyModel, context: Context, pinned: str | None, pipelines: Sequence[LogPipeline]
) -> Child:
    """Return the ConfigMap with the model as training pods read it, and the pipelines whose topics they read.

    The revision of a rollback is in it, because a training must not remove that when it makes room.
    """
    documents = pod_documents(model, pipelines, context.owner.namespace, pinned)
    return config_map(context, COMPONENT, _name(context), {"resources.yaml": documents})


def training_job(model: AnomalyModel, context: Context, hash_: str, pipelines: Sequence[LogPipeline]) -> Child:
    """Return the Job that trains the model as its spec stands."""
    job = context.owner.child("batch/v1", "Job", job_name(model, hash_), COMPONENT)
    job["metadata"]["labels"].update(_queue(model))
    return {**job, "spec": _job_spec(model, context, pipelines)}


def training_service(context: Context) -> Child:
    """Return the headless Service by which the pods of a shared training find the first of them."""
    port = {"name": "rendezvous", "port": _RENDEZVOUS_PORT, "protocol": "TCP"}
    # A trainer is never ready in the sense of a probe, and has to be found at once.
    return service(context, COMPONENT, [port], clusterIP="None", publishNotReadyAddresses=True)


def training_schedule(
    model: AnomalyModel, context: Context, pipelines: Sequence[LogPipeline], *, data: bool
) -> list[Child]:
    """Return the CronJob, where there is a schedule. It rests while topics that it has to read are not all there."""
    training = model.spec.training
    if training.schedule is None or not training.datasets:
        return []
    labels = {**context.owner.labels(COMPONENT), **_queue(model)}
    spec = {
        "schedule": training.schedule,
        "suspend": training.suspend or (reads_topics(model) and not (data and pipelines)),
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": 3600,
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 3,
        "jobTemplate": {"metadata": {"labels": labels}, "spec": _job_spec(model, context, pipelines)},
    }
    return [context.owner.child("batch/v1", "CronJob", f"{context.owner.name}-schedule", COMPONENT, spec=spec)]


def _name(context: Context) -> str:
    """Return the name of all that the trainings of a model share."""
    return f"{context.owner.name}-{COMPONENT}"


def _queue(model: AnomalyModel) -> dict[str, str]:
    """Return the label by which Kueue admits Jobs, where the model carries it."""
    queue = model.metadata.labels.get(QUEUE_LABEL)
    return {QUEUE_LABEL: queue} if queue else {}


def _job_spec(model: AnomalyModel, context: Context, pipelines: Sequence[LogPipeline]) -> dict[str, Any]:
    nodes = model.spec.training.nodes
    # When one pod of several fails, the others fail with it.
    return {
        "backoffLimit": _RETRIES * nodes,
        **({"completionMode": "Indexed", "completions": nodes, "parallelism": nodes} if nodes > 1 else {}),
        "podFailurePolicy": {
            "rules": [
                {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [USER_MISTAKE]}},
                {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
            ]
        },
        "template": {"metadata": {"labels": context.owner.labels(COMPONENT)}, "spec": _pod(model, context, pipelines)},
    }


def _pod(model: AnomalyModel, context: Context, pipelines: Sequence[LogPipeline]) -> dict[str, Any]:
    resources = model.spec.training.resources
    volumes, mounts = _volumes(model, context)
    secrets, secret_mounts = secret_volumes(topic_secrets(pipelines), _SECRETS_FOLDER)
    return {
        **placement(context.settings, resources),
        "restartPolicy": "Never",
        **({"subdomain": _name(context)} if model.spec.training.nodes > 1 else {}),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": restricted_pod(),
        "terminationGracePeriodSeconds": _GRACE_SECONDS,
        "volumes": [*volumes, *secrets],
        "containers": [_container(model, context, [*mounts, *secret_mounts])],
    }


def _container(model: AnomalyModel, context: Context, mounts: list[dict[str, Any]]) -> dict[str, Any]:
    images, training = context.settings.images, model.spec.training
    names = [use.name for use in training_secrets(model)]
    credentials = {"envFrom": secret_environment(names)} if names else {}
    return {
        "name": COMPONENT,
        "image": images.trainer,
        "imagePullPolicy": images.pull_policy,
        "command": _command(model),
        "ports": [metrics_port()],
        "env": [*environment(data_folder(model)), *_place_of_job(model, context)],
        **credentials,
        "resources": compute(training.resources, cpu="1", memory="2Gi"),
        "securityContext": {**restricted_container(), "runAsUser": USER},
        "terminationMessagePath": RESULT_FILE,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": mounts,
    }


def _place_of_job(model: AnomalyModel, context: Context) -> list[dict[str, Any]]:
    """Return the variables that tell a trainer its Job and, where several share a training, where they meet.

    The latter are those that torchrun would set: docs/decisions/0010-training-on-several-nodes.md.
    """
    place: list[dict[str, Any]] = [{"name": "JOB_NAME", "valueFrom": {"fieldRef": _JOB_LABEL}}]
    nodes = model.spec.training.nodes
    if nodes > 1:
        place += [
            {"name": "MASTER_ADDR", "value": f"$(JOB_NAME)-0.{_name(context)}"},
            {"name": "MASTER_PORT", "value": str(_RENDEZVOUS_PORT)},
            {"name": "WORLD_SIZE", "value": str(nodes)},
            {"name": "RANK", "valueFrom": {"fieldRef": _INDEX}},
        ]
    return place


def _command(model: AnomalyModel) -> list[str]:
    """Return the command.

    Checkpoints lie beside the revisions in their claim, in a folder of the Job's own, so that a retried pod goes on
    where one was killed and no other training does; with revisions in object storage they go with the pod.
    """
    work = f"{data_folder(model)}/training/$(JOB_NAME)"
    arguments = ["train", "-f", RESOURCES_FILE, "--work", work, "--discard-work", "--result", RESULT_FILE]
    arguments += ["--secrets", _SECRETS_FOLDER] if reads_topics(model) else []
    return ["logwarden", *arguments, "--metrics-port", str(METRICS_PORT)]


def _volumes(model: AnomalyModel, context: Context) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    config, config_mount = config_volume(_name(context), follow=True)
    data, data_mounts = data_volumes()
    volumes, mounts = [config, *data], [config_mount, *data_mounts]
    if claim := storage_claim(model):
        volumes.append({"name": "models", "persistentVolumeClaim": {"claimName": claim.name}})
        mounts.append({"name": "models", "mountPath": CLAIM_FOLDER})
    for index, name in enumerate(sorted({claim.name for claim in dataset_claims(model)})):
        source = {"claimName": name, "readOnly": True}
        volumes.append({"name": f"dataset-{index}", "persistentVolumeClaim": source})
        mounts.append({"name": f"dataset-{index}", "mountPath": dataset_folder(name), "readOnly": True})
    return volumes, mounts
