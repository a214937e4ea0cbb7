"""All children of an AnomalyModel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from logwarden.api.anomaly_model import AnomalyModel
from logwarden.api.log_pipeline import LogPipeline
from logwarden_operator.children.monitoring import training_monitoring
from logwarden_operator.children.network import training_policies
from logwarden_operator.children.storage import storage
from logwarden_operator.children.training import (
    training_config,
    training_job,
    training_schedule,
    training_service,
)
from logwarden_operator.context import Context
from logwarden_operator.ownership import Child
from logwarden_operator.revisions import Pointer


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What is to be trained: the hash of the wanted settings, whether their Job has to be there, the pipelines whose
    raw topics are data sets, and whether all data is there.
    """

    hash: str
    job: bool
    pipelines: Sequence[LogPipeline] = ()
    data: bool = True


def model_children(model: AnomalyModel, context: Context, plan: TrainingPlan, pointer: Pointer) -> list[Child]:
    """Return what a model needs in the cluster. Without data sets nothing is trained: the base is used as it is."""
    children: list[Child] = [] if pointer == Pointer() else [pointer.child(context.owner)]
    children += storage(model, context)
    if model.spec.training.datasets:
        children.append(training_config(model, context, pointer.pinned, plan.pipelines))
        children += training_schedule(model, context, plan.pipelines, data=plan.data)
        children += training_monitoring(context)
        if model.spec.training.nodes > 1:
            children += [training_service(context), *training_policies(context)]
        if plan.job:
            children.append(training_job(model, context, plan.hash, plan.pipelines))
    return children
