"""The revision pointer: what the operator remembers of a model's trainings, in one ConfigMap that anybody can read."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from logwarden.api.training_result import TrainingResult
from logwarden_operator.ownership import Child, Owner

COMPONENT = "revision"
MAX_HISTORY = 20
PREVIOUS = "previous"
"""What a rollback names to go one revision back."""


class PointerDamagedError(Exception):
    """Somebody wrote into the revision pointer what it cannot hold."""


class PastTraining(BaseModel):
    """A training that ended well."""

    model_config = ConfigDict(frozen=True)

    revision: str
    f1: float | None = None
    job: str
    uid: str = ""
    """Of the Job."""
    refusal: str | None = None
    removed: bool = False
    """Whether the revision is gone, because of ``promotion.keepRevisions``."""


class Pointer(BaseModel):
    """Which revision is active, which training led to it, and what was asked for since.

    ``trained`` is the hash of the settings that were trained last; ``pinned`` the revision of a rollback; ``requests``
    counts the trainings asked for by annotation, and ``request`` is the last one that was counted.
    """

    model_config = ConfigDict(frozen=True)

    active: str | None = None
    latest: str | None = None
    trained: str | None = None
    pinned: str | None = None
    requests: int = 0
    request: str | None = None
    refusal: str | None = None
    history: list[PastTraining] = Field(default_factory=list)

    def after(self, result: TrainingResult, job: str, trained: str | None, uid: str = "") -> Pointer:
        """Return the pointer after a training. A new active revision ends a rollback."""
        past = PastTraining(revision=result.revision, f1=result.f1, job=job, uid=uid, refusal=result.refusal)
        former = [
            one.model_copy(update={"removed": True}) if one.revision in result.removed else one for one in self.history
        ]
        history = [*former, past][-MAX_HISTORY:]
        changes: dict[str, Any] = {
            "latest": result.revision,
            "trained": trained or self.trained,
            "refusal": result.refusal,
            "history": history,
        }
        if result.active:
            changes |= {"active": result.revision, "pinned": None}
        return self.model_copy(update=changes)

    def rolled_back(self, wanted: str) -> Pointer | None:
        """Return the pointer after a rollback to a revision, or to the one before; None where there is none."""
        if wanted != PREVIOUS:
            return self._serving(wanted) if wanted in [past.revision for past in self._there()] else None
        served = [past.revision for past in self._there() if past.refusal is None]
        current = self.pinned or self.active
        if current not in served or served.index(current) == 0:
            return None
        return self._serving(served[served.index(current) - 1])

    def _there(self) -> list[PastTraining]:
        return [past for past in self.history if not past.removed]

    def _serving(self, revision: str) -> Pointer:
        return self.model_copy(update={"pinned": revision, "active": revision})

    def knows(self, uid: str) -> bool:
        """Whether the result of a Job was recorded."""
        return any(past.uid == uid for past in self.history)

    def child(self, owner: Owner) -> Child:
        """Return the ConfigMap."""
        values = self.model_dump(mode="json", exclude_none=True)
        data = {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
        return owner.child("v1", "ConfigMap", pointer_name(owner), COMPONENT, data=data)


def pointer_name(owner: Owner) -> str:
    """Return the name of the ConfigMap."""
    return f"{owner.name}-revision"


def read_pointer(config_map: Child | None) -> Pointer:
    """Return what the ConfigMap says; without one the model was never trained.

    Raises
    ------
    PointerDamagedError
        If it cannot be read. What it remembers must not be written over.
    """
    data: dict[str, str] = (config_map or {}).get("data") or {}
    values: dict[str, Any] = dict(data)
    try:
        for key in ("requests", "history"):
            if key in data:
                values[key] = json.loads(data[key])
        return Pointer.model_validate(values)
    except (ValueError, ValidationError):
        name = (config_map or {}).get("metadata", {}).get("name", "")
        raise PointerDamagedError(f"ConfigMap {name} cannot be read: mend it, or delete it to train anew") from None
