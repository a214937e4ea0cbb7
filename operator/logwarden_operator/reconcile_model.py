"""Reconcile an AnomalyModel: train what its spec says, remember what came of it, and report."""

from __future__ import annotations

from typing import Any

from logwarden.api.anomaly_model import AnomalyModel
from logwarden.api.log_pipeline import LogPipeline
from logwarden_operator.checks import kafka_of, parse_model, parse_pipeline
from logwarden_operator.children import model_children
from logwarden_operator.children.documents import dataset_claims
from logwarden_operator.children.secrets import model_secrets, topic_secrets
from logwarden_operator.children.training import training_hash
from logwarden_operator.conditions import Condition, false, ready, true, unknown
from logwarden_operator.environment import RECHECK_SECONDS, Environment, missing_in_words
from logwarden_operator.kinds import ANOMALY_MODEL, CLAIM, LOG_PIPELINE, MODEL_CHILDREN, POD
from logwarden_operator.ownership import RETRAIN_ANNOTATION, ROLLBACK_ANNOTATION, Child, Key, Owner
from logwarden_operator.parsing import InvalidSpecError, owner_of
from logwarden_operator.reporting import is_paused, report, report_pause
from logwarden_operator.revisions import Pointer, PointerDamagedError, pointer_name, read_pointer
from logwarden_operator.sync import ChildRefusedError, bring_about, ensure, key, observe
from logwarden_operator.trainings import (
    JobState,
    evaluation_condition,
    job_states,
    last_failure,
    plan,
    progress,
    record,
    trained_condition,
)
from logwarden_operator.usage import model_of, status_of

_UNWATCHED = {"SecretMissing", "ClaimMissing", "ResultMissing"}


async def reconcile_model(env: Environment, namespace: str, name: str) -> float | None:
    """Bring about what an AnomalyModel says; return after how many seconds to look again, or None."""
    raw = await env.cluster.get(ANOMALY_MODEL, namespace, name)
    if raw is None or raw["metadata"].get("deletionTimestamp"):
        return None
    if is_paused(raw):
        await report_pause(env.cluster, ANOMALY_MODEL, raw)
        return None
    try:
        model = parse_model(raw)
    except InvalidSpecError as error:
        await _report_failed(env, raw, "InvalidSpec", str(error))
        return None
    try:
        return await _reconcile(env, raw, owner_of(raw), model)
    except PointerDamagedError as error:
        await _report_failed(env, raw, "PointerDamaged", str(error))
        return None
    except ChildRefusedError as error:
        await _report_failed(env, raw, error.reason, str(error))
        return RECHECK_SECONDS


async def _reconcile(env: Environment, raw: Child, owner: Owner, model: AnomalyModel) -> float | None:
    context = await env.context(owner)
    observed = await observe(env.cluster, owner, MODEL_CHILDREN, context.available, [])
    states = await _job_states(env, owner, observed)
    pointer = _read_pointer(observed, owner)
    pointer = record(pointer, states, model, training_hash(model, pointer.requests))
    if heard := _heard(raw):
        observed, pointer = await _answer(env, owner, raw, model, pointer, observed, heard)
    pipelines, problem = await _collecting(env, model, owner)
    data = problem or await _data_available(env, model, owner, pipelines)
    wanted = plan(model, pointer, states, pipelines, data=data.holds)
    children = await bring_about(env.cluster, owner, model_children(model, context, wanted, pointer), observed)
    states = await _job_states(env, owner, children)
    reached = env.counts.trainings(Key(owner.kind, owner.namespace, owner.name))
    trained = trained_condition(model, pointer, wanted, states, data, reached)
    conditions = _conditions(env, owner, model, pointer, states, data, trained)
    fields = {**_fields(model, pointer, states, conditions), "training": progress(states, reached)}
    await report(env.cluster, ANOMALY_MODEL, raw, conditions, fields)
    return RECHECK_SECONDS if any(condition.reason in _UNWATCHED for condition in conditions) else None


async def _job_states(env: Environment, owner: Owner, children: list[Child]) -> list[JobState]:
    jobs = [child for child in children if child["kind"] == "Job"]
    pods = await env.cluster.list(POD, owner.namespace, owner.selector) if jobs else []
    return job_states(jobs, pods)


def _read_pointer(observed: list[Child], owner: Owner) -> Pointer:
    maps = (child for child in observed if child["kind"] == "ConfigMap")
    return read_pointer(next((one for one in maps if one["metadata"]["name"] == pointer_name(owner)), None))


def _heard(raw: Child) -> list[str]:
    """Return the annotations that ask for something."""
    annotations = raw["metadata"].get("annotations", {})
    return [one for one in (RETRAIN_ANNOTATION, ROLLBACK_ANNOTATION) if one in annotations]


async def _answer(
    env: Environment,
    owner: Owner,
    raw: Child,
    model: AnomalyModel,
    pointer: Pointer,
    observed: list[Child],
    heard: list[str],
) -> tuple[list[Child], Pointer]:
    """Write what annotations ask for into the pointer, then take them away, whatever becomes of other children.

    Return the children and the pointer as they are now.
    """
    metadata = raw["metadata"]
    wanted = metadata["annotations"].get(ROLLBACK_ANNOTATION)
    if wanted is not None and pointer.rolled_back(wanted) is None:
        message = f"{ROLLBACK_ANNOTATION}: there is no revision '{wanted}' to go back to"
        await env.cluster.tell(raw, warning=True, reason="RollbackImpossible", message=message)
    pointer = _asked(raw, model, pointer)
    if pointer != Pointer():
        child = pointer.child(owner)
        before = next((one for one in observed if key(one) == key(child)), None)
        written = await ensure(env.cluster, child, before)
        observed = [*(one for one in observed if key(one) != key(child)), written]
    patch = {"metadata": {"annotations": dict.fromkeys(heard)}}
    await env.cluster.merge(ANOMALY_MODEL, metadata["namespace"], metadata["name"], patch)
    return observed, pointer


def _asked(raw: Child, model: AnomalyModel, pointer: Pointer) -> Pointer:
    """Return the pointer with what annotations ask for: another training, or the revision before."""
    annotations = raw["metadata"].get("annotations", {})
    if RETRAIN_ANNOTATION in annotations:
        count = pointer.requests + 1
        pointer = pointer.model_copy(update={"requests": count, "request": training_hash(model, count)})
    if ROLLBACK_ANNOTATION in annotations:
        pointer = pointer.rolled_back(annotations[ROLLBACK_ANNOTATION]) or pointer
    return pointer


async def _collecting(
    env: Environment, model: AnomalyModel, owner: Owner
) -> tuple[list[LogPipeline], Condition | None]:
    """Return the pipelines whose raw topics are data sets of a model, and what is wrong with them.

    They are listed, not taken from what the watch told: a training that begins with some of them learns half of it.
    """
    datasets = enumerate(model.spec.training.datasets)
    field = next((f"spec.training.datasets[{index}].topic" for index, one in datasets if one.topic is not None), None)
    if field is None:
        return [], None

    def lacks(reason: str, message: str) -> Condition:
        return false("DataAvailable", reason, f"{field}: {message}")

    listed = await env.cluster.list(LOG_PIPELINE, owner.namespace)
    using = [raw for raw in listed if model_of(raw) == owner.name and not raw["metadata"].get("deletionTimestamp")]
    if not using:
        return [], lacks("NoPipeline", f"no LogPipeline of namespace {owner.namespace} uses this model")
    pipelines, problems = [], []
    for raw in sorted(using, key=lambda raw: str(raw["metadata"]["name"])):
        name = raw["metadata"]["name"]
        try:
            pipeline = parse_pipeline(raw)
            kafka_of(pipeline)
        except InvalidSpecError as error:
            problems.append(lacks("PipelineInvalid", f"LogPipeline {name}: {error}"))
            continue
        pipelines.append(pipeline)
        if status_of(raw, "TopicReady") != "True":
            problems.append(lacks("TopicNotReady", f"the topic of LogPipeline {name} is not ready"))
    return pipelines, next(iter(problems), None)


async def _data_available(
    env: Environment, model: AnomalyModel, owner: Owner, pipelines: list[LogPipeline]
) -> Condition:
    uses = [*model_secrets(model), *topic_secrets(pipelines)]
    if missing := await env.missing_secrets(uses, owner.namespace):
        return false("DataAvailable", "SecretMissing", missing_in_words(missing, owner.namespace))
    for claim in dataset_claims(model):
        if not await env.cluster.exists(CLAIM, owner.namespace, claim.name):
            message = f"spec.training.datasets: claim {claim.name} does not exist in namespace {owner.namespace}"
            return false("DataAvailable", "ClaimMissing", message)
    count = len(model.spec.training.datasets)
    if not count:
        return true("DataAvailable", "NotNeeded", "spec.training.datasets is empty: nothing is trained")
    topics = ", ".join(pipeline.name for pipeline in pipelines)
    where = f", topics from LogPipeline {topics}"[:500] if topics else ""
    return true("DataAvailable", "Named", f"{count} data sets are named; the training reads them{where}")


def _conditions(
    env: Environment,
    owner: Owner,
    model: AnomalyModel,
    pointer: Pointer,
    states: list[JobState],
    data: Condition,
    trained: Condition,
) -> list[Condition]:
    evaluated = evaluation_condition(model, pointer)
    usable = ready([data, trained, evaluated], f"revision {_active(model, pointer)} can serve")
    return [
        data,
        trained,
        evaluated,
        _serving(env, owner),
        usable,
        _degraded(pointer, trained, evaluated),
    ]


def _serving(env: Environment, owner: Owner) -> Condition:
    detectors = env.usage.of(owner.namespace, owner.name)
    running = [name for name, status in detectors.items() if status == "True"]
    if running:
        return true("Serving", "DetectorsReady", f"detectors run for LogPipeline {', '.join(running[:10])}")
    if detectors:
        return false(
            "Serving", "DetectorsNotReady", f"no detector is ready of LogPipeline {', '.join(detectors)[:500]}"
        )
    return unknown("Serving", "NotUsed", "no LogPipeline of this namespace names it")


def _degraded(pointer: Pointer, trained: Condition, evaluated: Condition) -> Condition:
    """Return Degraded: an old revision serves because the newest could not take over."""
    lasting = trained.status == "False" and trained.reason not in ("Training", "Suspended", "WaitingForData")
    if lasting and pointer.active:
        return true("Degraded", trained.reason, f"revision {pointer.active} serves on; {trained.message}")
    if evaluated.status == "False" and pointer.active:
        return true("Degraded", evaluated.reason, evaluated.message)
    return false("Degraded", "AsExpected", "nothing stands in the way")


def _active(model: AnomalyModel, pointer: Pointer) -> str | None:
    """Return the revision that detectors serve."""
    found = model.spec.promotion.revision or pointer.active
    return found or ("builtin" if model.spec.base.model == "builtin" else None)


def _fields(
    model: AnomalyModel, pointer: Pointer, states: list[JobState], conditions: list[Condition]
) -> dict[str, Any]:
    return {
        "phase": _phase({condition.type: condition for condition in conditions}),
        "activeRevision": _active(model, pointer),
        "latestRevision": pointer.latest,
        "f1": _f1(model, pointer),
        "lastFailure": last_failure(states),
    }


def _f1(model: AnomalyModel, pointer: Pointer) -> str | None:
    active = _active(model, pointer)
    measured = [past.f1 for past in pointer.history if past.revision == active and past.f1 is not None]
    return f"{measured[-1]:.3f}" if measured else None


def _phase(conditions: dict[str, Condition]) -> str:
    trained = conditions["Trained"]
    if conditions["Ready"].holds:
        return "Ready"
    if trained.reason in ("Training", "Suspended"):
        return trained.reason
    pending = trained.status == "Unknown" or trained.reason in ("WaitingForData", "Unschedulable")
    return "Pending" if pending else "Failed"


async def _report_failed(env: Environment, raw: Child, reason: str, message: str) -> None:
    await report(env.cluster, ANOMALY_MODEL, raw, [false("Ready", reason, message)], {"phase": "Failed"})
