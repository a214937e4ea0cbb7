"""The claim that holds a model's revisions."""

from __future__ import annotations

from logwarden.api.anomaly_model import AnomalyModel
from logwarden_operator.children.documents import storage_claim
from logwarden_operator.context import Context
from logwarden_operator.ownership import Child

COMPONENT = "storage"


def storage(model: AnomalyModel, context: Context) -> list[Child]:
    """Return the claim. It has no owner: revisions outlive the resource, and whoever deletes them means it."""
    claim = storage_claim(model)
    if claim is None:
        return []
    wanted = context.settings.model_claim
    spec = {
        "accessModes": list(wanted.access_modes),
        "resources": {"requests": {"storage": wanted.size}},
        **({"storageClassName": wanted.storage_class} if wanted.storage_class else {}),
    }
    child = context.owner.child("v1", "PersistentVolumeClaim", claim.name, COMPONENT, spec=spec)
    del child["metadata"]["ownerReferences"]
    return [child]
