"""What workloads and their pods say about themselves, in words for a condition."""

from __future__ import annotations

from typing import Any, NamedTuple

from logwarden_operator.children.training import USER_MISTAKE
from logwarden_operator.conditions import Condition, false, true, unknown
from logwarden_operator.ownership import Child

_BAD_WAITS = {
    "CrashLoopBackOff",
    "CreateContainerConfigError",
    "CreateContainerError",
    "ErrImagePull",
    "ErrImageNeverPull",
    "ImagePullBackOff",
    "InvalidImageName",
    "RunContainerError",
}


class Cause(NamedTuple):
    """Why a pod does not run."""

    reason: str
    message: str


def workload_condition(type_: str, workload: Child | None, pods: list[Child]) -> Condition:
    """Return whether a Deployment or DaemonSet runs as it is declared, and the cause where it does not."""
    if workload is None:
        return unknown(type_, "NotCreated", "it has not been created yet")
    kind, name = workload["kind"], workload["metadata"]["name"]
    there, wanted = _counts(workload)
    if not _observed(workload):
        return unknown(type_, "Progressing", f"{kind} {name} was just changed")
    if there >= wanted and not (wanted == 0 and kind == "DaemonSet"):
        return true(type_, "Available", f"{kind} {name}: {there} of {wanted} pods ready")
    if wanted == 0 and kind == "DaemonSet":
        return false(type_, "NoNodes", f"DaemonSet {name}: no node matches it: look at nodeSelector and tolerations")
    cause = pods_cause(pods)
    if cause is not None:
        return false(type_, cause.reason, f"{kind} {name}: {there} of {wanted} pods ready; {cause.message}")
    if quota := _creation_failure(workload):
        return false(type_, "PodsRefused", f"{kind} {name}: {quota}")
    return false(type_, "Progressing", f"{kind} {name}: {there} of {wanted} pods ready")


def _counts(workload: Child) -> tuple[int, int]:
    """Return how many pods are ready and up to date, and how many there should be."""
    status: dict[str, Any] = workload.get("status") or {}
    if workload["kind"] == "DaemonSet":
        wanted = status.get("desiredNumberScheduled", 0)
        return min(status.get("numberReady", 0), status.get("updatedNumberScheduled", 0)), wanted
    # Pods of before may be the ready ones: in the worst case all of them are.
    old = status.get("replicas", 0) - status.get("updatedReplicas", 0)
    return max(0, status.get("readyReplicas", 0) - old), workload["spec"].get("replicas", 1)


def _observed(workload: Child) -> bool:
    """Whether the status is about the current spec."""
    seen = (workload.get("status") or {}).get("observedGeneration", 0)
    return bool(seen >= workload["metadata"].get("generation", 0))


def _creation_failure(workload: Child) -> str | None:
    for condition in (workload.get("status") or {}).get("conditions", []):
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            return str(condition.get("message", ""))
    return None


def pods_cause(pods: list[Child]) -> Cause | None:
    """Return the cause of the first pod that has one."""
    causes = (pod_cause(pod) for pod in sorted(pods, key=lambda pod: str(pod["metadata"]["name"])))
    return next((cause for cause in causes if cause is not None), None)


def pod_cause(pod: Child) -> Cause | None:
    """Return why a pod does not run: no node for it, no image, killed for its memory, crashing."""
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    for condition in status.get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return Cause("Unschedulable", f"pod {name} has no node: {condition.get('message', '')}")
    for container in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
        if cause := _container_cause(name, container):
            return cause
    return None


def _container_cause(pod: str, container: dict[str, Any]) -> Cause | None:
    ended = _ended(container)
    name = container["name"]
    if ended and ended.get("reason") == "OOMKilled":
        return Cause("OOMKilled", f"pod {pod}: {name} needed more memory than its limit: raise resources.limits.memory")
    waiting = (container.get("state") or {}).get("waiting") or {}
    if waiting.get("reason") not in _BAD_WAITS:
        return None
    said = _last_words(ended) if ended else str(waiting.get("message", ""))
    return Cause(str(waiting["reason"]), f"pod {pod}: {name}: {said or waiting['reason']}")


def _ended(container: dict[str, Any]) -> dict[str, Any] | None:
    """Return how the container last ended, if it ever did."""
    for state in ("state", "lastState"):
        if ended := (container.get(state) or {}).get("terminated"):
            return dict(ended)
    return None


def _last_words(ended: dict[str, Any]) -> str:
    """Return the end of what a container said, in one line."""
    words = " ".join(str(ended.get("message", "")).split())
    return f"exit code {ended.get('exitCode')}" + (f": {words[-500:]}" if words else "")


def termination(pod: Child) -> str | None:
    """Return the termination message of a pod that ended well."""
    for container in (pod.get("status") or {}).get("containerStatuses", []):
        ended = _ended(container)
        if ended and ended.get("exitCode") == 0:
            return str(ended.get("message", "")) or None
    return None


def failure(pods: list[Child]) -> Cause | None:
    """Return how the last failed pod of a Job ended.

    A mistake of the user ends the Job at once; pods that shared the work then fail too, each without its peer.
    """
    failed = [pod for pod in pods if (pod.get("status") or {}).get("phase") == "Failed"]
    for pod in sorted(failed, key=_importance, reverse=True):
        for container in pod["status"].get("containerStatuses", []):
            ended = _ended(container)
            if ended and ended.get("reason") == "OOMKilled":
                return _container_cause(pod["metadata"]["name"], container)
            if ended:
                return Cause("Error", f"pod {pod['metadata']['name']}: {_last_words(ended)}")
    return None


def _importance(pod: Child) -> tuple[bool, str]:
    ends = [_ended(container) or {} for container in pod["status"].get("containerStatuses", [])]
    mistaken = any(ended.get("exitCode") == USER_MISTAKE for ended in ends)
    return mistaken, str(pod["metadata"].get("creationTimestamp", ""))
