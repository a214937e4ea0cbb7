"""What the watches told of both kinds: tells news from our own status writes, and counts conditions."""

from __future__ import annotations

from typing import Any

from logwarden_operator import metrics
from logwarden_operator.ownership import Child, Key


def key_of(raw: Child) -> Key:
    """Return the key of a resource."""
    metadata = raw["metadata"]
    return Key(raw["kind"], metadata["namespace"], metadata["name"])


class Watched:
    """The last state of every resource that a watch told of."""

    def __init__(self) -> None:
        self._wishes: dict[Key, Any] = {}
        self._revisions: dict[Key, str | None] = {}
        self._conditions: dict[Key, set[tuple[str, str]]] = {}

    def see(self, raw: Child) -> bool:
        """Take note of a resource; return whether its user changed something since."""
        key = key_of(raw)
        self._count(key, _conditions(raw))
        wish = _wish(raw)
        if self._wishes.get(key) == wish:
            return False
        self._wishes[key] = wish
        return True

    def serves_another(self, model: Child) -> bool:
        """Whether a model serves another revision than when it was last seen."""
        key, active = key_of(model), (model.get("status") or {}).get("activeRevision")
        before = self._revisions.get(key)
        self._revisions[key] = active
        return before != active

    def forget(self, raw: Child) -> None:
        """Drop a resource that is gone."""
        key = key_of(raw)
        self._count(key, set())
        for remembered in (self._wishes, self._revisions, self._conditions):
            remembered.pop(key, None)

    def missed(self, raw: Child) -> bool:
        """Whether a resource that was listed is in a state that no watch told of."""
        return bool(self._wishes.get(key_of(raw)) != _wish(raw))

    def _count(self, key: Key, now: set[tuple[str, str]]) -> None:
        before = self._conditions.get(key, set())
        for type_, status in before - now:
            metrics.CONDITIONS.labels(key.kind, type_, status).dec()
        for type_, status in now - before:
            metrics.CONDITIONS.labels(key.kind, type_, status).inc()
        self._conditions[key] = now


def _wish(raw: Child) -> Any:
    """Return everything about a resource that a reconcile depends on, and that is not its status."""
    metadata = raw["metadata"]
    return (
        metadata["uid"],
        metadata.get("generation"),
        metadata.get("deletionTimestamp"),
        metadata.get("annotations", {}),
        metadata.get("labels", {}),
        metadata.get("finalizers", []),
    )


def _conditions(raw: Child) -> set[tuple[str, str]]:
    return {(one["type"], one["status"]) for one in (raw.get("status") or {}).get("conditions", [])}
