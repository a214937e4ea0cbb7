"""Which pipelines use which model, and whether their detectors run: kept from what the watch tells."""

from __future__ import annotations

from typing import NamedTuple

from logwarden_operator.ownership import Child

Place = tuple[str, str]
"""Namespace and name."""


class Use(NamedTuple):
    """A pipeline's use of a model, and what a training depends on that reads the pipeline's topic."""

    model: str
    detector: str
    """Status of its condition DetectorReady."""
    topic: str
    """Status of its condition TopicReady."""
    generation: int
    """Of the spec, which says how to reach the topic."""


class Usage:
    """Uses of models by pipelines."""

    def __init__(self) -> None:
        self._uses: dict[Place, Use] = {}
        self._pipelines: dict[Place, set[str]] = {}

    def see(self, pipeline: Child, *, gone: bool = False) -> set[Place]:
        """Take note of a pipeline; return the models for which something changed."""
        metadata = pipeline["metadata"]
        place = (metadata["namespace"], metadata["name"])
        before = self._uses.pop(place, None)
        now = None if gone else _use(pipeline)
        if before is not None:
            self._pipelines[place[0], before.model].discard(place[1])
        if now is not None:
            self._uses[place] = now
            self._pipelines.setdefault((place[0], now.model), set()).add(place[1])
        if before == now:
            return set()
        return {(place[0], use.model) for use in (before, now) if use is not None}

    def of(self, namespace: str, model: str) -> dict[str, str]:
        """Return the pipelines that use a model, each with the status of its detectors."""
        names = self._pipelines.get((namespace, model), set())
        return {name: self._uses[namespace, name].detector for name in sorted(names)}


def model_of(pipeline: Child) -> str | None:
    """Return the name of the model that a pipeline uses."""
    name: str | None = ((pipeline.get("spec") or {}).get("detect") or {}).get("modelRef", {}).get("name")
    return name or None


def status_of(pipeline: Child, type_: str) -> str:
    """Return the status of a condition of a pipeline."""
    conditions = (pipeline.get("status") or {}).get("conditions", [])
    return next((str(condition["status"]) for condition in conditions if condition["type"] == type_), "Unknown")


def _use(pipeline: Child) -> Use | None:
    name = model_of(pipeline)
    if name is None:
        return None
    generation = pipeline["metadata"].get("generation", 0)
    return Use(name, status_of(pipeline, "DetectorReady"), status_of(pipeline, "TopicReady"), generation)
