"""Reconcile a LogPipeline: children, topics across namespaces, and a status that tells the whole truth."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

from logwarden.api.anomaly_model import AnomalyModel
from logwarden.api.log_pipeline import KafkaSpec, LogPipeline
from logwarden.errors import InvalidInputError
from logwarden_operator.checks import kafka_of, parse_model, parse_pipeline
from logwarden_operator.children import pipeline_children
from logwarden_operator.children.secrets import detector_secrets, pipeline_secrets
from logwarden_operator.cluster import ClusterError
from logwarden_operator.conditions import Condition, false, ready, true, unknown
from logwarden_operator.context import Context
from logwarden_operator.environment import RECHECK_SECONDS, Environment, missing_in_words
from logwarden_operator.flow import TYPE as FLOW
from logwarden_operator.health import workload_condition
from logwarden_operator.kafka_health import topic_condition
from logwarden_operator.kinds import ANOMALY_MODEL, CONFIG_MAP, LOG_PIPELINE, PIPELINE_CHILDREN, POD, STRIMZI
from logwarden_operator.ownership import COMPONENT, FINALIZER, Child, Key, Owner
from logwarden_operator.parsing import InvalidSpecError, owner_of
from logwarden_operator.reporting import is_paused, report, report_pause
from logwarden_operator.revisions import Pointer, PointerDamagedError, pointer_name, read_pointer
from logwarden_operator.rollout import SELECTED, held_condition, rollout
from logwarden_operator.sync import ChildRefusedError, bring_about, key, observe

# Strimzi's objects are watched, but only some time after their kinds have come, and what they say first may be missed.
_UNWATCHED = {"SecretMissing", "StrimziMissing", "WaitingForStrimzi", "PointerDamaged"}
_PASSING = {"Progressing", "NotCreated", "Checking", "WaitingForStrimzi", "ModelNotReady"}
_GONE = (403, 404)


class ModelView(NamedTuple):
    """The model of a pipeline and its revision; ``model`` is None where there is none that can be used."""

    model: AnomalyModel | None
    pointer: Pointer
    problem: Condition | None = None


async def reconcile_pipeline(env: Environment, namespace: str, name: str) -> float | None:
    """Bring about what a LogPipeline says; return after how many seconds to look again, or None."""
    raw = await env.cluster.get(LOG_PIPELINE, namespace, name)
    if raw is None:
        return None
    owner = owner_of(raw)
    if raw["metadata"].get("deletionTimestamp"):
        await _finalize(env, raw, owner)
        return None
    if is_paused(raw):
        await report_pause(env.cluster, LOG_PIPELINE, raw)
        return None
    try:
        pipeline = parse_pipeline(raw)
        kafka = kafka_of(pipeline)
    except InvalidSpecError as error:
        await _report_invalid(env, raw, "InvalidSpec", str(error))
        return None
    home = _home(kafka, owner)
    if not env.settings.may_hold_topics(home):
        message = (
            f"spec.kafka.strimzi.namespace: the operator has no rights in namespace {home}: "
            "add it to the chart's value operator.kafkaNamespaces"
        )
        await _report_invalid(env, raw, "NamespaceNotWatched", message)
        return None
    return await _reconcile(env, raw, owner, pipeline, kafka)


async def _reconcile(
    env: Environment, raw: Child, owner: Owner, pipeline: LogPipeline, kafka: KafkaSpec
) -> float | None:
    context = await env.context(owner)
    view = await _model(env, pipeline, owner)
    observed = await observe(env.cluster, owner, PIPELINE_CHILDREN, context.available, env.topic_scopes())
    await _keep_finalizer(env, raw, owner, kafka, observed)
    try:
        declared = pipeline_children(pipeline, view.model, context, view.pointer.pinned)
    except InvalidInputError as error:
        await _report_invalid(env, raw, "InvalidSpec", str(error))
        return None
    try:
        held = rollout(pipeline, context, declared, observed)
        kept = _kept(view) | held.kept
        brought = await bring_about(env.cluster, owner, held.declared, observed, kept=kept)
    except ChildRefusedError as error:
        await _report_invalid(env, raw, error.reason, str(error))
        return RECHECK_SECONDS
    wanted = {key(child) for child in held.declared}
    children = [child for child in brought if key(child) in wanted]
    flow = env.counts.flow(Key(owner.kind, owner.namespace, owner.name), pipeline.spec.alerts, raw)
    conditions = [*await _conditions(env, context, pipeline, kafka, view, children, held.job), flow.condition]
    overall = ready(_deciding(conditions), "logs are collected and judged")
    fields = {"phase": _phase(conditions, overall), "activeRevision": _revision(view, raw), **flow.fields}
    await report(env.cluster, LOG_PIPELINE, raw, [*conditions, overall], fields)
    again = any(condition.reason in _UNWATCHED for condition in conditions) or _unseen(env, kafka, owner, conditions)
    return RECHECK_SECONDS if again else None


async def _model(env: Environment, pipeline: LogPipeline, owner: Owner) -> ModelView:
    name = pipeline.spec.detect.model_ref.name
    raw = await env.cluster.get(ANOMALY_MODEL, owner.namespace, name)
    if raw is None or raw["metadata"].get("deletionTimestamp"):
        message = f"spec.detect.modelRef: AnomalyModel {name} does not exist in namespace {owner.namespace}"
        return ModelView(None, Pointer(), false("DetectorReady", "ModelMissing", message))
    try:
        model = parse_model(raw)
    except InvalidSpecError as error:
        return ModelView(None, Pointer(), false("DetectorReady", "ModelInvalid", f"AnomalyModel {name}: {error}"))
    model_owner = Owner("AnomalyModel", owner.namespace, name, "")
    try:
        pointer = read_pointer(await env.cluster.get(CONFIG_MAP, owner.namespace, pointer_name(model_owner)))
    except PointerDamagedError as error:
        return ModelView(None, Pointer(), false("DetectorReady", "PointerDamaged", f"AnomalyModel {name}: {error}"))
    if not _servable(model, pointer):
        message = f"AnomalyModel {name} has no active revision yet: see kubectl describe amodel {name}"
        return ModelView(None, pointer, unknown("DetectorReady", "ModelNotReady", message))
    return ModelView(model, pointer)


def _kept(view: ModelView) -> frozenset[str]:
    """Return what goes on as it is: a mistake in a model must not stop the detectors that run with the old one."""
    broken = view.problem is not None and view.problem.reason != "ModelMissing"
    return frozenset({"detector"}) if broken else frozenset()


def _servable(model: AnomalyModel, pointer: Pointer) -> bool:
    """Whether a detector would find something to serve."""
    base = model.spec.base.model
    return bool(model.spec.promotion.revision or pointer.active) or base == "builtin"


def _revision(view: ModelView, raw: Child) -> str | None:
    """Return the revision that detectors serve; those that are kept serve what they served before."""
    if view.model is None:
        return (raw.get("status") or {}).get("activeRevision") if _kept(view) else None
    return view.model.spec.promotion.revision or view.pointer.active or "builtin"


async def _conditions(
    env: Environment,
    context: Context,
    pipeline: LogPipeline,
    kafka: KafkaSpec,
    view: ModelView,
    children: list[Child],
    check: str | None,
) -> list[Condition]:
    topics = [child for child in children if child["kind"] in [kind.kind for kind in STRIMZI]]
    return [
        await _config_valid(env, pipeline, view, context.owner.namespace),
        topic_condition(kafka, topics, context.available),
        await _collector_ready(env, context.owner, pipeline, children, check),
        view.problem or await _component_ready(env, context.owner, "DetectorReady", "detector", children),
    ]


def _deciding(conditions: list[Condition]) -> list[Condition]:
    """Return the conditions on which Ready depends: counts that nobody could read yet stop nothing."""
    return [one for one in conditions if one.type != FLOW or one.status == "False"]


async def _config_valid(env: Environment, pipeline: LogPipeline, view: ModelView, namespace: str) -> Condition:
    uses = [*pipeline_secrets(pipeline), *(detector_secrets(pipeline, view.model) if view.model else [])]
    missing = await env.missing_secrets(list({use.name: use for use in reversed(uses)}.values()), namespace)
    if missing:
        return false("ConfigValid", "SecretMissing", missing_in_words(missing, namespace))
    return true("ConfigValid", "Valid", "the spec can be carried out")


async def _collector_ready(
    env: Environment, owner: Owner, pipeline: LogPipeline, children: list[Child], check: str | None
) -> Condition:
    """Return CollectorReady: syslog collectors first, then the HTTP endpoint."""
    if check is not None:
        pods = await env.cluster.list(POD, owner.namespace, f"{owner.selector},{SELECTED}")
        return held_condition(check, children, pods)
    collect = pipeline.spec.collect
    wanted = ["collector"] if collect.nodes or collect.syslog.listeners else []
    wanted += ["ingest"] if collect.http.enabled else []
    if not wanted:
        return true("CollectorReady", "NothingToCollect", "spec.collect names no source: logs come from elsewhere")
    found = [await _component_ready(env, owner, "CollectorReady", component, children) for component in wanted]
    return next((condition for condition in found if not condition.holds), found[0])


async def _component_ready(
    env: Environment, owner: Owner, type_: str, component: str, children: list[Child]
) -> Condition:
    workload = next(
        (
            child
            for child in children
            if child["kind"] in ("Deployment", "DaemonSet") and child["metadata"]["labels"].get(COMPONENT) == component
        ),
        None,
    )
    condition = workload_condition(type_, workload, [])
    if condition.holds or workload is None:
        return condition
    pods = await env.cluster.list(POD, owner.namespace, f"{owner.selector},{COMPONENT}={component}")
    return workload_condition(type_, workload, pods)


def _phase(conditions: list[Condition], overall: Condition) -> str:
    if overall.holds:
        return "Ready"
    if any(condition.type == "ConfigValid" and not condition.holds for condition in conditions):
        return "Failed"
    lasting = [one for one in conditions if one.status == "False" and one.reason not in _PASSING]
    return "Degraded" if lasting else "Pending"


async def _report_invalid(env: Environment, raw: Child, reason: str, message: str) -> None:
    conditions = [false("ConfigValid", reason, message)]
    await report(env.cluster, LOG_PIPELINE, raw, [*conditions, ready(conditions, "")], {"phase": "Failed"})


def _home(kafka: KafkaSpec, owner: Owner) -> str:
    """Return the namespace of the topics."""
    return (kafka.strimzi.namespace if kafka.strimzi else None) or owner.namespace


def _unseen(env: Environment, kafka: KafkaSpec, owner: Owner, conditions: list[Condition]) -> bool:
    """Whether topics are waited for in a namespace of which no watch tells."""
    watched = env.settings.watch_namespaces
    waiting = any(one.type == "TopicReady" and not one.holds for one in conditions)
    return bool(watched) and _home(kafka, owner) not in watched and waiting


async def _keep_finalizer(env: Environment, raw: Child, owner: Owner, kafka: KafkaSpec, observed: list[Child]) -> None:
    """Hold a finalizer exactly as long as there are, or will be, topics that no owner reference can reach."""
    abroad = any(child["metadata"]["namespace"] != owner.namespace for child in observed)
    needed = abroad or _home(kafka, owner) != owner.namespace
    finalizers = raw["metadata"].get("finalizers", [])
    if needed != (FINALIZER in finalizers):
        others = [one for one in finalizers if one != FINALIZER]
        await _set_finalizers(env, raw, [*others, FINALIZER] if needed else others)


async def _finalize(env: Environment, raw: Child, owner: Owner) -> None:
    """Delete the topics and let the resource go, also where Strimzi or our access to it went first."""
    finalizers = raw["metadata"].get("finalizers", [])
    if FINALIZER not in finalizers:
        return
    try:
        for kind, scope in product(STRIMZI, env.topic_scopes()):
            for child in await env.cluster.list(kind, scope, owner.selector):
                await env.cluster.delete(kind, child)
    except ClusterError as error:
        if error.status not in _GONE:
            raise
        await env.cluster.tell(raw, warning=True, reason="TopicsLeft", message=f"topics were left behind: {error}")
    await _set_finalizers(env, raw, [one for one in finalizers if one != FINALIZER])


async def _set_finalizers(env: Environment, raw: Child, finalizers: list[str]) -> None:
    metadata = raw["metadata"]
    patch = {"metadata": {"finalizers": finalizers, "resourceVersion": metadata["resourceVersion"]}}
    await env.cluster.merge(LOG_PIPELINE, metadata["namespace"], metadata["name"], patch)
