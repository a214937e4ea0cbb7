"""All children of a LogPipeline."""

from __future__ import annotations

from logwarden.api.anomaly_model import AnomalyModel
from logwarden.api.log_pipeline import LogPipeline
from logwarden_operator.children.collector import collector
from logwarden_operator.children.detector import detector
from logwarden_operator.children.ingest import ingest
from logwarden_operator.children.kafka import kafka_user, topics
from logwarden_operator.children.monitoring import monitoring
from logwarden_operator.children.network import network_policies
from logwarden_operator.children.scaling import scaling
from logwarden_operator.context import Context
from logwarden_operator.ownership import COMPONENT, Child

_WORKLOADS = ("DaemonSet", "Deployment")


def pipeline_children(
    pipeline: LogPipeline, model: AnomalyModel | None, context: Context, pinned: str | None = None
) -> list[Child]:
    """Return what a pipeline needs in the cluster.

    Parameters
    ----------
    model
        The model that its ``detect.modelRef`` names; without it there is no detector yet.
    pinned
        Revision that detectors have to serve, or None: they follow the active one.
    """
    workloads = [*collector(pipeline, context), *ingest(pipeline, context)]
    if model is not None:
        workloads += [*detector(pipeline, model, context, pinned), *scaling(pipeline, model, context)]
    components = [child["metadata"]["labels"][COMPONENT] for child in workloads if child["kind"] in _WORKLOADS]
    return [
        *topics(pipeline, context),
        *kafka_user(pipeline, context),
        *workloads,
        *network_policies(pipeline, context, components),
        *monitoring(pipeline, context, components),
    ]
