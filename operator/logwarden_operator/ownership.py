"""Who a child belongs to: labels that find it again, and the reference by which it is deleted with its owner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from logwarden.api.base import API_VERSION, GROUP

Kind = Literal["AnomalyModel", "LogPipeline"]
Child = dict[str, Any]
"""A Kubernetes object as plain values."""


class Key(NamedTuple):
    """A resource."""

    kind: Kind
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


MANAGED_BY = "app.kubernetes.io/managed-by"
OPERATOR = "logwarden-operator"
COMPONENT = "app.kubernetes.io/component"
OWNER_KIND = f"{GROUP}/owner-kind"
OWNER_NAME = f"{GROUP}/owner-name"
OWNER_NAMESPACE = f"{GROUP}/owner-namespace"
OWNER_LABELS = (OWNER_KIND, OWNER_NAMESPACE, OWNER_NAME)
MANAGED_SELECTOR = f"{MANAGED_BY}={OPERATOR}"

HASH_ANNOTATION = f"{GROUP}/declared-hash"
PAUSE_ANNOTATION = f"{GROUP}/paused"
RETRAIN_ANNOTATION = f"{GROUP}/retrain"
ROLLBACK_ANNOTATION = f"{GROUP}/rollback"
FINALIZER = f"{GROUP}/topics"


@dataclass(frozen=True, slots=True)
class Owner:
    """The resource whose children are made."""

    kind: Kind
    namespace: str
    name: str
    uid: str

    @property
    def selector(self) -> str:
        """Label selector of all children of this owner, in whatever namespace."""
        return ",".join(f"{key}={value}" for key, value in self._identity().items())

    def labels(self, component: str) -> dict[str, str]:
        """Labels of a child."""
        return {
            "app.kubernetes.io/name": f"logwarden-{component}",
            "app.kubernetes.io/part-of": "logwarden",
            COMPONENT: component,
            **self._identity(),
        }

    def pod_selector(self, component: str) -> dict[str, str]:
        """Labels by which a workload finds its pods. Never changed: selectors are immutable."""
        return {COMPONENT: component, OWNER_KIND: self.kind, OWNER_NAME: self.name}

    def child(self, api_version: str, kind: str, name: str, component: str, **fields: Any) -> Child:
        """Return a child in the owner's namespace, which is deleted with its owner."""
        metadata = {
            "name": name,
            "namespace": self.namespace,
            "labels": self.labels(component),
            "ownerReferences": [self.reference()],
        }
        return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}

    def reference(self) -> dict[str, Any]:
        """Return the owner reference."""
        return {"apiVersion": API_VERSION, "kind": self.kind, "name": self.name, "uid": self.uid, "controller": True}

    def _identity(self) -> dict[str, str]:
        return {
            MANAGED_BY: OPERATOR,
            OWNER_KIND: self.kind,
            OWNER_NAMESPACE: self.namespace,
            OWNER_NAME: self.name,
        }
