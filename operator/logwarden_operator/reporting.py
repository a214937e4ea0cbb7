"""Write a resource's status and tell its story in Events, both only when something changed."""

from __future__ import annotations

import logging
from typing import Any

from logwarden_operator.cluster import Cluster
from logwarden_operator.conditions import Condition, changed, merged, true
from logwarden_operator.kinds import ApiKind
from logwarden_operator.ownership import PAUSE_ANNOTATION, Child

_PAUSED = "Paused"
_TOLD_ELSEWHERE = {"WaitingForData"}
_log = logging.getLogger(__name__)


async def report(
    cluster: Cluster, kind: ApiKind, raw: Child, conditions: list[Condition], fields: dict[str, Any]
) -> None:
    """Write the status of a resource.

    Parameters
    ----------
    raw
        The resource as it was read.
    conditions, fields
        What the status says now. A field that is None is taken away.
    """
    metadata, before = raw["metadata"], raw.get("status") or {}
    former = before.get("conditions", [])
    status: dict[str, Any] = {
        **fields,
        "observedGeneration": metadata["generation"],
        "conditions": merged(conditions, former, metadata["generation"]),
    }
    patch = {key: value for key, value in status.items() if before.get(key) != value}
    if not patch:
        return
    await cluster.merge(kind, metadata["namespace"], metadata["name"], {"status": patch}, status=True)
    for condition in changed(conditions, former):
        await _tell(cluster, raw, condition)


async def _tell(cluster: Cluster, raw: Child, condition: Condition) -> None:
    """Post an Event for a condition that fails, and for the resource becoming ready."""
    trouble = condition.status == "False" and condition.type not in ("Ready", "Degraded", "Serving")
    good_news = condition.type == "Ready" and condition.holds
    bad_news = condition.type == "Degraded" and condition.holds
    if not (trouble or good_news or bad_news) or condition.reason in _TOLD_ELSEWHERE:
        return
    warning = not good_news and condition.reason not in ("Progressing", "Training")
    message = f"{condition.type}: {condition.message}"
    level = logging.WARNING if warning else logging.INFO
    metadata = raw["metadata"]
    _log.log(level, "%s %s/%s: %s", raw["kind"], metadata["namespace"], metadata["name"], message)
    await cluster.tell(raw, warning=warning, reason=condition.reason, message=message)


def is_paused(raw: Child) -> bool:
    """Whether the user asked for the operator to keep its hands off."""
    return bool(raw["metadata"].get("annotations", {}).get(PAUSE_ANNOTATION) == "true")


async def report_pause(cluster: Cluster, kind: ApiKind, raw: Child) -> None:
    """Say that nothing is being done. All other conditions stay as they were, about the generation that they are of."""
    metadata = raw["metadata"]
    former = (raw.get("status") or {}).get("conditions", [])
    if any(one["type"] == _PAUSED for one in former):
        return
    paused = true(_PAUSED, "Annotation", f"nothing is changed while the annotation {PAUSE_ANNOTATION} is 'true'")
    conditions = [*former, *merged([paused], [], metadata["generation"])]
    patch = {"status": {"conditions": conditions}}
    await cluster.merge(kind, metadata["namespace"], metadata["name"], patch, status=True)
