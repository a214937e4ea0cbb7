"""TrainingResult: what a training tells whoever started it, in a few hundred bytes.

In a cluster the trainer writes it as the termination message of its container, from where the operator reads it: a
training pod needs no access to the API server.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from logwarden.api.record import Score

MAX_REFUSAL = 2048
"""Characters of a refusal. Kubernetes cuts a termination message after 4096 bytes."""
MAX_REMOVED = 64
"""Revisions that are named as removed: the newest of them. Nobody remembers older ones."""

RevisionName = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{12}$")]


class TrainingResult(BaseModel):
    """What came of a training."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    revision: RevisionName = Field(description="Id of the revision.")
    f1: Score | None = Field(None, description="F1 on the test part; None where it has no labelled faults.")
    active: bool = Field(description="Whether the revision became the active one.")
    refusal: Annotated[str, StringConstraints(max_length=MAX_REFUSAL)] | None = Field(
        None, description="Why it did not become active."
    )
    removed: Annotated[list[RevisionName], Field(max_length=MAX_REMOVED)] = Field(
        default_factory=list, description="Older revisions that went, because of promotion.keepRevisions."
    )

    def to_text(self) -> str:
        """Return the result as one line of JSON."""
        return self.model_dump_json(exclude_none=True)
