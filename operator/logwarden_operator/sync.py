"""Bring what a resource's children are to what they should be: apply, leave alone, or delete."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from logwarden_operator.children.pods import fingerprint
from logwarden_operator.cluster import Cluster, ClusterError
from logwarden_operator.kinds import BY_KIND, CLAIM, STRIMZI, TOPIC, ApiKind
from logwarden_operator.ownership import (
    COMPONENT,
    HASH_ANNOTATION,
    MANAGED_SELECTOR,
    OWNER_LABELS,
    Child,
    Owner,
)

_CONFLICT, _INVALID, _MISSING = 409, 422, 404
_REFUSALS = (400, 403, 422)
_OWNED = ",".join([MANAGED_SELECTOR, *OWNER_LABELS])
Key = tuple[str, str, str]


class ChildRefusedError(Exception):
    """A child cannot be brought about; the message tells a person which and why. ``reason`` is one in CamelCase."""

    def __init__(self, child: Child, reason: str, why: str) -> None:
        metadata = child["metadata"]
        super().__init__(f"{child['kind']} {metadata['namespace']}/{metadata['name']} {why}")
        self.reason = reason


async def observe(
    cluster: Cluster, owner: Owner, kinds: Iterable[ApiKind], available: frozenset[str], topic_scopes: list[str | None]
) -> list[Child]:
    """Return the existing children of an owner.

    ``topic_scopes`` are the namespaces in which KafkaTopics and KafkaUsers are looked for, None for all: one can have
    been left in a namespace that the resource no longer names.
    """
    places = [
        (kind, scope)
        for kind in kinds
        if kind.crd is None or kind.crd in available
        for scope in (topic_scopes if kind in STRIMZI else [owner.namespace])
    ]
    lists = await asyncio.gather(*(cluster.list(kind, scope, owner.selector) for kind, scope in places))
    return [child for children in lists for child in children]


async def bring_about(
    cluster: Cluster,
    owner: Owner,
    declared: list[Child],
    observed: list[Child],
    kept: frozenset[str] = frozenset(),
) -> list[Child]:
    """Apply what differs, delete what is no longer declared, and return the children as they are now.

    Children of the components ``kept`` stay as they are where they are not declared.

    Raises
    ------
    ChildRefusedError
        If an object of somebody else has the name of a child, or the API server refuses one. All other children were
        brought about.
    """
    existing = {key(child): child for child in observed}
    wanted = {key(child) for child in declared}
    undeclared = [child for child in observed if key(child) not in wanted]
    staying = [
        child for child in undeclared if child["metadata"]["labels"][COMPONENT] in kept or not may_go(child, owner)
    ]
    for child in undeclared:
        if child not in staying:
            await cluster.delete(BY_KIND[child["kind"]], child)
    results = await asyncio.gather(
        *(ensure(cluster, child, existing.get(key(child))) for child in declared), return_exceptions=True
    )
    failures = [result for result in results if isinstance(result, BaseException)]
    if failures:
        raise failures[0]
    return [*(result for result in results if isinstance(result, dict)), *staying]


async def ensure(cluster: Cluster, child: Child, existing: Child | None) -> Child:
    """Apply a child where it differs, and return it as it is now.

    Raises
    ------
    ChildRefusedError
        If an object of somebody else has its name, or the API server refuses it.
    """
    kind = BY_KIND[child["kind"]]
    declared = _signed(child)
    try:
        if kind.create_only:
            return existing or await _created(cluster, kind, declared)
        if existing is None:
            await _check_free(cluster, kind, child)
        elif not differs(existing, declared):
            return existing
        applied = await _applied(cluster, kind, declared, existing)
    except ClusterError as error:
        if error.status == _CONFLICT and existing is None:
            why = "exists and was not made by this operator: delete it or rename this resource"
            raise ChildRefusedError(child, "NameTaken", why) from None
        if error.status in _REFUSALS:
            raise ChildRefusedError(child, "Refused", f"was refused by the API server: {error}") from None
        if error.status == _MISSING:
            raise ChildRefusedError(child, "NamespaceMissing", f"cannot be made: {error}") from None
        raise
    return {"apiVersion": kind.api_version, "kind": kind.kind, **applied}


async def _check_free(cluster: Cluster, kind: ApiKind, child: Child) -> None:
    """Refuse a child whose name another resource's child has.

    The API server would not: both have one field manager, and across namespaces there is no owner to tell them apart.
    """
    metadata = child["metadata"]
    for found in await cluster.list(kind, metadata["namespace"], _OWNED, name=metadata["name"]):
        if (other := _owner_of(found)) != _owner_of(child):
            raise ChildRefusedError(child, "NameTaken", f"belongs to {other}: choose another name")


def _owner_of(child: Child) -> str:
    kind, namespace, name = (child["metadata"]["labels"][label] for label in OWNER_LABELS)
    return f"{kind} {namespace}/{name}"


async def _applied(cluster: Cluster, kind: ApiKind, declared: Child, existing: Child | None) -> Child:
    """Apply a child.

    Lists with keys are merged with what somebody else made of them, which can give nonsense, such as two ports of one
    name. Then the lists are first replaced as a whole.
    """
    try:
        return await cluster.apply(kind, declared, force=existing is not None)
    except ClusterError as error:
        if error.status != _INVALID or existing is None:
            raise
    metadata = declared["metadata"]
    await cluster.merge(kind, metadata["namespace"], metadata["name"], declared)
    return await cluster.apply(kind, declared, force=True)


async def _created(cluster: Cluster, kind: ApiKind, child: Child) -> Child:
    """Return an object that is made once. A claim may have been made by the user, before us."""
    metadata = child["metadata"]
    if kind is CLAIM and (found := await cluster.get(kind, metadata["namespace"], metadata["name"])):
        return found
    return await cluster.create(kind, child)


def _signed(child: Child) -> Child:
    """Return the child with a hash of itself, by which a field that is no longer declared is noticed."""
    metadata = child["metadata"]
    annotations = {**metadata.get("annotations", {}), HASH_ANNOTATION: fingerprint(child)}
    return {**child, "metadata": {**metadata, "annotations": annotations}}


def differs(existing: Child, declared: Child) -> bool:
    """Whether an object lacks something that is declared. What others added to it is theirs."""
    return not _holds(existing, declared)


def _holds(actual: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        if not isinstance(actual, dict):
            return not wanted and actual is None
        return all(_holds(actual.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        items = actual if isinstance(actual, list) else []
        return len(items) == len(wanted) and all(map(_holds, items, wanted))
    return bool(actual == wanted)


def may_go(child: Child, owner: Owner) -> bool:
    """Whether a child that is not declared is ours to delete.

    Claims and topics hold data, so they go only with their owner; Jobs of a CronJob are the CronJob's.
    """
    if child["kind"] in (CLAIM.kind, TOPIC.kind) or child["metadata"].get("deletionTimestamp"):
        return False
    owners = child["metadata"].get("ownerReferences", [])
    return not owners or any(reference["uid"] == owner.uid for reference in owners)


def key(child: Child) -> Key:
    """Return what tells a child from all others."""
    return child["kind"], child["metadata"]["namespace"], child["metadata"]["name"]
