"""The two resources as pods read them: where things are inside a pod, instead of inside the cluster."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from logwarden.api.anomaly_model import AnomalyModel
from logwarden.api.base import Resource
from logwarden.api.crd import to_yaml
from logwarden.api.log_pipeline import LogPipeline
from logwarden_operator.children.pods import DATA_FOLDER

_CLAIM_SCHEME = "pvc://"
CLAIM_FOLDER = f"{DATA_FOLDER}/claim"
"""Where the claim of the revisions is mounted."""


class Claim(NamedTuple):
    """A volume claim and the folder in it."""

    name: str
    path: str


def claim_of(uri: str, default_path: str = "") -> Claim | None:
    """Return the claim that a ``pvc://CLAIM[/PATH]`` URI names, or None for any other URI."""
    if not uri.startswith(_CLAIM_SCHEME):
        return None
    name, _, path = uri.removeprefix(_CLAIM_SCHEME).partition("/")
    return Claim(name, path.strip("/") or default_path)


def storage_claim(model: AnomalyModel) -> Claim | None:
    """Return the claim of a model's revisions, None where they lie elsewhere or there are none.

    Models that share a claim keep apart: each has a folder of its name.
    """
    uri = model.spec.storage.uri
    if uri is not None:
        return claim_of(uri, model.name)
    return Claim(model.name, model.name) if model.spec.training.datasets else None


def data_folder(model: AnomalyModel) -> str:
    """Return the pod's ``LOGWARDEN_DATA_DIR``, whose folder ``models`` is the registry of revisions."""
    claim = storage_claim(model)
    return f"{CLAIM_FOLDER}/{claim.path}" if claim else DATA_FOLDER


def dataset_claims(model: AnomalyModel) -> list[Claim]:
    """Return the claims of a model's data sets."""
    claims = (claim_of(dataset.uri) for dataset in model.spec.training.datasets if dataset.uri)
    return [claim for claim in claims if claim is not None]


def dataset_folder(claim: str) -> str:
    """Return where a claim of data sets is mounted."""
    return f"/data/{claim}"


def reads_topics(model: AnomalyModel) -> bool:
    """Whether a data set is what the pipelines of the model have collected."""
    return any(dataset.topic is not None for dataset in model.spec.training.datasets)


def pod_documents(
    model: AnomalyModel | None, pipelines: Sequence[LogPipeline], namespace: str, pinned: str | None = None
) -> str:
    """Return the documents as YAML for a pod's file.

    Claims become folders, a Strimzi cluster becomes its address, and ``pinned`` is the revision that has to be served
    where the model names none itself.
    """
    documents = []
    if model is not None:
        documents.append(_model_document(model, namespace, pinned))
    documents += [_pipeline_document(pipeline, namespace) for pipeline in pipelines]
    return "---\n".join(_yaml(json.dumps(document)) for document in documents)


@lru_cache(maxsize=2048)
def _yaml(document: str) -> str:
    """Return a document of JSON as YAML. Writing YAML is most of what a reconcile computes, and mostly of the same."""
    return to_yaml(json.loads(document))


def _model_document(model: AnomalyModel, namespace: str, pinned: str | None) -> dict[str, Any]:
    document = _document(model, namespace)
    spec = document["spec"]
    if storage_claim(model):
        spec["storage"] = {**spec.get("storage", {}), "uri": f"file://{data_folder(model)}/models"}
    for dataset in spec.get("training", {}).get("datasets", []):
        if found := claim_of(dataset.get("uri", "")):
            dataset["uri"] = f"file://{dataset_folder(found.name)}/{found.path}".rstrip("/")
    if pinned is not None and model.spec.promotion.revision is None:
        spec["promotion"] = {**spec.get("promotion", {}), "revision": pinned}
    return document


def _pipeline_document(pipeline: LogPipeline, namespace: str) -> dict[str, Any]:
    document = _document(pipeline, namespace)
    kafka = pipeline.spec.kafka
    if kafka is not None:
        document["spec"]["kafka"].pop("strimzi", None)
        document["spec"]["kafka"]["bootstrapServers"] = kafka.address(namespace)
    return document


def _document(resource: Resource, namespace: str) -> dict[str, Any]:
    values = resource.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
    return {
        "apiVersion": values["apiVersion"],
        "kind": values["kind"],
        "metadata": {"name": resource.name, "namespace": namespace},
        "spec": values.get("spec", {}),
    }
