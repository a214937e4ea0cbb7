"""Whether a changed configuration of the collectors may reach them yet: only after syslog-ng has accepted it."""

from __future__ import annotations

from typing import NamedTuple

from logwarden.api.log_pipeline import LogPipeline
from logwarden_operator.children.collector import COMPONENT as COLLECTOR
from logwarden_operator.children.collector_check import (
    COMPONENT,
    check_name,
    collector_check,
    config_hash,
    without_collector,
)
from logwarden_operator.conditions import Condition, false, unknown
from logwarden_operator.context import Context
from logwarden_operator.health import failure, pods_cause
from logwarden_operator.ownership import COMPONENT as COMPONENT_LABEL
from logwarden_operator.ownership import Child

SELECTED = f"{COMPONENT_LABEL}={COMPONENT}"
_TYPE = "CollectorReady"


class Rollout(NamedTuple):
    """What is to be there now. ``kept`` are the components whose children stay as they are.

    ``job`` is the name of the Job that is waited for, None where nothing is held back.
    """

    declared: list[Child]
    kept: frozenset[str]
    job: str | None = None


def rollout(pipeline: LogPipeline, context: Context, declared: list[Child], observed: list[Child]) -> Rollout:
    """Return the declared children, without the collectors' while their new configuration is not accepted.

    Collectors that do not run yet need no check before: nothing is replaced, and their own first container checks.
    But a check that has begun decides, also where somebody deletes the collectors meanwhile.
    """
    new, old = config_hash(declared), config_hash(observed)
    if new is None or new == old:
        return Rollout(declared, frozenset())
    name = check_name(context, new)
    job = _job(observed, name)
    accepted = old is None if job is None else _ended(job) == "Complete"
    if accepted:
        return Rollout(declared, frozenset())
    held = [*without_collector(declared), *collector_check(pipeline, context, new)]
    return Rollout(held, frozenset({COLLECTOR}), name)


def held_condition(name: str, children: list[Child], pods: list[Child]) -> Condition:
    """Return CollectorReady while collectors go on with their old configuration."""
    job = _job(children, name)
    if job is None or _ended(job) != "Failed":
        cause = pods_cause(pods)
        words = f"Job {name} checks the changed configuration; collectors that run go on with the old one"
        return unknown(_TYPE, "Checking", words + (f": {cause.message}" if cause else ""))
    found = failure(pods)
    said = found.message if found else "it did not end in time"
    words = (
        f"the changed configuration was not rolled out, collectors that run go on with the old one: Job {name}: {said}"
    )
    return false(_TYPE, "ConfigRefused", f"{words}. To check it once more, delete the Job")


def _job(children: list[Child], name: str) -> Child | None:
    jobs = (child for child in children if child["kind"] == "Job")
    return next((job for job in jobs if job["metadata"]["name"] == name), None)


def _ended(job: Child) -> str | None:
    """Return Complete or Failed, None while the Job runs."""
    conditions = (job.get("status") or {}).get("conditions", [])
    return next(
        (one["type"] for one in conditions if one["type"] in ("Complete", "Failed") and one["status"] == "True"), None
    )
