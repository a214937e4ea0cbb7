"""Trainings of a model: what was asked for, what Jobs say, and what came of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from pydantic import ValidationError

from logwarden.api.anomaly_model import AnomalyModel
from logwarden.api.log_pipeline import LogPipeline
from logwarden.api.training_result import TrainingResult
from logwarden_operator.children.model import TrainingPlan
from logwarden_operator.children.training import COMPONENT as TRAINING
from logwarden_operator.children.training import job_name, training_hash
from logwarden_operator.conditions import Condition, false, true, unknown
from logwarden_operator.counts import Reached
from logwarden_operator.health import failure, pods_cause, termination
from logwarden_operator.ownership import COMPONENT, Child
from logwarden_operator.revisions import Pointer


class JobState(NamedTuple):
    """A training Job and its pods."""

    name: str
    outcome: str
    """Active, Complete or Failed."""
    time: str
    """When it ended, or was created."""
    message: str
    pods: list[Child]
    uid: str = ""
    """Of the Job: one that is made again for the same settings has the same name."""


def job_states(jobs: list[Child], pods: list[Child]) -> list[JobState]:
    """Return the state of each training Job, oldest first."""
    ours = [job for job in jobs if job["metadata"]["labels"].get(COMPONENT) == TRAINING]
    states = [_state(job, [pod for pod in pods if _belongs(pod, job)]) for job in ours]
    return sorted(states, key=lambda state: state.time)


def _state(job: Child, pods: list[Child]) -> JobState:
    metadata, uid = job["metadata"], str(job["metadata"]["uid"])
    for condition in (job.get("status") or {}).get("conditions", []):
        if condition["type"] in ("Complete", "Failed") and condition["status"] == "True":
            time = str(condition.get("lastTransitionTime", ""))
            return JobState(metadata["name"], condition["type"], time, str(condition.get("message", "")), pods, uid)
    return JobState(metadata["name"], "Active", metadata["creationTimestamp"], "", pods, uid)


def _belongs(pod: Child, job: Child) -> bool:
    """Whether a pod is of this Job, and not of one before it of the same name."""
    labels, metadata = pod["metadata"].get("labels", {}), job["metadata"]
    same = labels.get("batch.kubernetes.io/controller-uid", metadata["uid"]) == metadata["uid"]
    return bool(same and labels.get("batch.kubernetes.io/job-name") == metadata["name"])


def record(pointer: Pointer, states: list[JobState], model: AnomalyModel, hash_: str) -> Pointer:
    """Return the pointer with the results of all Jobs that ended well and were not recorded yet."""
    for state in states:
        if state.outcome == "Complete" and not pointer.knows(state.uid) and (result := result_of(state.pods)):
            trained = hash_ if state.name == job_name(model, hash_) else None
            pointer = pointer.after(result, state.name, trained, state.uid)
    return pointer


def result_of(pods: list[Child]) -> TrainingResult | None:
    """Return what the trainer wrote as its termination message."""
    for pod in pods:
        try:
            return TrainingResult.model_validate_json(termination(pod) or "")
        except ValidationError:
            continue
    return None


def plan(
    model: AnomalyModel, pointer: Pointer, states: list[JobState], pipelines: Sequence[LogPipeline] = (), *, data: bool
) -> TrainingPlan:
    """Return whether the Job for the wanted settings has to be there; ``pipelines`` are those whose topics it reads.

    It is made when its data is available and it was not trained yet; once there it stays, for its logs.
    """
    hash_ = training_hash(model, pointer.requests)
    there = any(state.name == job_name(model, hash_) for state in states)
    asked = not model.spec.training.suspend or pointer.request == hash_
    wanted = bool(model.spec.training.datasets) and pointer.trained != hash_ and data and asked
    return TrainingPlan(hash_, there or wanted, pipelines, data)


def trained_condition(
    model: AnomalyModel,
    pointer: Pointer,
    plan: TrainingPlan,
    states: list[JobState],
    data: Condition,
    reached: Mapping[str, Reached] = MappingProxyType({}),
) -> Condition:
    """Return Trained, for the settings as they are now. ``reached`` tells by uid how far pods are."""
    if not model.spec.training.datasets:
        return true("Trained", "NotNeeded", "spec.training.datasets is empty: the base model is used as it is")
    if pointer.trained == plan.hash:
        return true("Trained", "TrainingCompleted", f"revision {pointer.latest} was trained with these settings")
    name = job_name(model, plan.hash)
    state = next((state for state in states if state.name == name), None)
    if state is not None:
        return _job_condition(state, reached)
    if not data.holds:
        return false("Trained", "WaitingForData", data.message)
    if model.spec.training.suspend:
        return false("Trained", "Suspended", "spec.training.suspend is true")
    return unknown("Trained", "Starting", f"Job {name} is being created")


def _job_condition(state: JobState, reached: Mapping[str, Reached] = MappingProxyType({})) -> Condition:
    if state.outcome == "Complete":
        return false("Trained", "ResultMissing", f"Job {state.name} ended well, but left no readable result")
    if state.outcome == "Failed":
        cause = failure(state.pods)
        words = f"Job {state.name} failed: {cause.message if cause else state.message}"
        return false("Trained", cause.reason if cause and cause.reason == "OOMKilled" else "JobFailed", words)
    if (cause := pods_cause(state.pods)) is not None:
        return false("Trained", cause.reason, f"Job {state.name}: {cause.message}")
    return false("Trained", "Training", f"Job {state.name} is running{_how_far(_reached(state, reached))}")


def _reached(state: JobState, reached: Mapping[str, Reached]) -> Reached | None:
    return next((reached[uid] for pod in state.pods if (uid := pod["metadata"]["uid"]) in reached), None)


def _how_far(reached: Reached | None) -> str:
    if reached is None:
        return ""
    if reached.percent >= 100:
        return f": {reached.step} is done, and what came of it is being measured"
    left = "" if reached.remaining is None else f", about {reached.remaining // 60 + 1} minutes left"
    return f": {reached.step} is {reached.percent} % done{left}"


def evaluation_condition(model: AnomalyModel, pointer: Pointer) -> Condition:
    """Return EvaluationPassed: whether the newest revision may serve."""
    if not model.spec.training.datasets:
        return true("EvaluationPassed", "NotNeeded", "nothing is trained, so nothing is judged")
    if pointer.latest is None:
        return unknown("EvaluationPassed", "NotEvaluated", "no training has ended well yet")
    if pointer.refusal is not None and (chosen := model.spec.promotion.revision or pointer.pinned):
        message = f"revision {chosen} was chosen by hand; the gate did not pass {pointer.latest}: {pointer.refusal}"
        return true("EvaluationPassed", "ChosenByHand", message)
    if pointer.refusal is not None:
        serving = f"; revision {pointer.active} serves on" if pointer.active else ""
        message = f"revision {pointer.latest} was not made active: {pointer.refusal}{serving}"
        return false("EvaluationPassed", "GateRefused", message)
    return true("EvaluationPassed", "GatePassed", f"revision {pointer.latest} passed the gate")


def progress(states: list[JobState], reached: Mapping[str, Reached] = MappingProxyType({})) -> dict[str, Any] | None:
    """Return status.training of a running Job."""
    running = [state for state in states if state.outcome == "Active"]
    if not running:
        return None
    state = running[-1]
    far = _reached(state, reached)
    measured = {} if far is None else {"percent": far.percent, "remainingSeconds": far.remaining}
    known = {name: value for name, value in measured.items() if value is not None}
    return {"job": state.name, "started": state.time, **known}


def last_failure(states: list[JobState]) -> dict[str, Any] | None:
    """Return status.lastFailure from the Job that failed last."""
    failed = [state for state in states if state.outcome == "Failed"]
    if not failed:
        return None
    condition = _job_condition(failed[-1])
    return {"time": failed[-1].time, "reason": condition.reason, "message": condition.message}
