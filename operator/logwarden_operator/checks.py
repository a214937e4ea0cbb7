"""Refuse what the schema lets through and a cluster cannot carry out, each with its field and a way out."""

from __future__ import annotations

from logwarden.api.anomaly_model import AnomalyModel, DatasetSpec
from logwarden.api.log_pipeline import KafkaSpec, LogPipeline
from logwarden.errors import InvalidInputError
from logwarden_operator.children.documents import claim_of
from logwarden_operator.children.pods import GPU, METRICS_PORT, asks_for_gpu
from logwarden_operator.ownership import Child
from logwarden_operator.parsing import InvalidSpecError, parse

_DATA_SCHEMES = ("pvc", "s3", "file")
"""Where a training pod finds data."""


def parse_model(raw: Child) -> AnomalyModel:
    """Return a model that the operator can train and serve.

    Raises
    ------
    InvalidSpecError
        If it is wrong, or asks for what is not there yet.
    """
    model = parse(AnomalyModel, raw)
    _check_storage(model)
    for index, dataset in enumerate(model.spec.training.datasets):
        _check_dataset(f"spec.training.datasets[{index}]", dataset)
    _check_serving(model)
    return model


def parse_pipeline(raw: Child) -> LogPipeline:
    """Return a pipeline whose ports can be opened in its pods, and whose lines are masked where it says.

    Raises
    ------
    InvalidSpecError
        If it is wrong.
    """
    pipeline = parse(LogPipeline, raw)
    for index, listener in enumerate(pipeline.spec.collect.syslog.listeners):
        if listener.port == METRICS_PORT and listener.transport != "UDP":
            field = f"spec.collect.syslog.listeners[{index}].port"
            raise InvalidSpecError(f"{field}: {METRICS_PORT} serves the collector's metrics: choose another port")
    try:
        pipeline.check_masking()
    except InvalidInputError as error:
        raise InvalidSpecError(str(error)) from None
    return pipeline


def kafka_of(pipeline: LogPipeline) -> KafkaSpec:
    """Return spec.kafka. One machine does without it, and without a database, so the schema cannot ask for them."""
    if pipeline.spec.kafka is None:
        raise InvalidSpecError("spec.kafka: is required in a cluster: name strimzi or bootstrapServers")
    if pipeline.spec.store.database_secret_ref is None:
        raise InvalidSpecError("spec.store.databaseSecretRef: is required in a cluster: name a Secret and its key")
    return pipeline.spec.kafka


def _check_storage(model: AnomalyModel) -> None:
    uri = model.spec.storage.uri
    if uri is not None and claim_of(uri) is None and not uri.startswith("s3://"):
        raise InvalidSpecError(
            f"spec.storage.uri: found '{uri}': in a cluster revisions lie in a claim, pvc://CLAIM, "
            "or in a storage that speaks S3, s3://BUCKET/PATH"
        )
    if uri is not None and uri.startswith("s3://") and model.spec.training.nodes > 1:
        raise InvalidSpecError(
            "spec.training.nodes: several pods share their data and checkpoints in a claim: set spec.storage.uri to "
            "pvc://CLAIM, or nodes to 1"
        )


def _check_dataset(field: str, dataset: DatasetSpec) -> None:
    if dataset.uri is None:  # a topic
        return
    scheme, separator, _ = dataset.uri.partition("://")
    if separator and scheme not in _DATA_SCHEMES:
        allowed = ", ".join(f"{one}://" for one in _DATA_SCHEMES)
        raise InvalidSpecError(f"{field}.uri: found '{dataset.uri}': in a cluster it is one of {allowed}")


def _check_serving(model: AnomalyModel) -> None:
    serving = model.spec.serving
    on_gpu = asks_for_gpu(serving.resources)
    if GPU in serving.resources.requests and not on_gpu:
        raise InvalidSpecError(f"spec.serving.resources.requests: {GPU} has to stand in limits, which requests follow")
    if serving.runtime == "Torch" and not on_gpu:
        raise InvalidSpecError(f"spec.serving.runtime: Torch needs {GPU} in spec.serving.resources.limits; or use ONNX")
    if serving.runtime == "ONNX" and on_gpu:
        raise InvalidSpecError(
            f"spec.serving.runtime: ONNX computes on CPUs: use auto, or remove {GPU} from the limits"
        )
