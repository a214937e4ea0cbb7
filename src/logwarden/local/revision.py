"""Which model revision a pipeline runs with, and noticing when another one becomes active."""

from __future__ import annotations

import gc
import logging
import os
import threading
from pathlib import Path
from queue import Empty, SimpleQueue

from logwarden.api.anomaly_model import AnomalyModel
from logwarden.detect import DetectionModel
from logwarden.errors import InvalidInputError, LogwardenError
from logwarden.revisions import BUILTIN, Registry, Revision, open_revision, registry_at

_OBJECTS_BETWEEN_COLLECTIONS = 10_000
_log = logging.getLogger(__name__)


def choose_revision(model: AnomalyModel, registry: Registry) -> Revision:
    """Return the revision that is pinned, else the active one of the registry, else the one ``spec.base`` names.

    Raises
    ------
    InvalidInputError
        If there is none, or it is damaged.
    """
    pinned = model.spec.promotion.revision
    if pinned is not None:
        return open_revision(pinned, registry=registry)
    if registry.active() is not None:
        return registry.open("active")
    base = model.spec.base.model
    if base == BUILTIN or "://" in base:
        return open_revision(base, registry=registry)
    raise InvalidInputError(
        f"AnomalyModel {model.name}: {base} has not been trained yet, and no revision is active in {registry}: "
        "run 'logwarden train' first, or set spec.base.model to builtin"
    )


def registry_of(model: AnomalyModel, default: Path) -> Registry:
    """Return the registry that a model's storage names, or that of a folder where it names none that can be reached."""
    return registry_at(model.spec.storage.uri) or Registry(default)


def load(revision: Revision, device: str | None = None) -> DetectionModel:
    """Load a revision for detection on this machine, with torch where a ``device`` (cpu or cuda) is named."""
    return DetectionModel.load(revision, threads=min(2, os.cpu_count() or 1), device=device)


def spare_collector() -> None:
    """Make the garbage collector cheap in a process that detects: to be called once, when its revision is loaded.

    The many small objects of a revision have no cycles. The collector no longer looks through them again and again, and
    comes less often while lines pass: it took up to an eighth of the time of a line.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)


class RevisionWatch:
    """Looks again and again which revision is active, and loads it beside the running one."""

    def __init__(self, model: AnomalyModel, registry: Registry, current: str, device: str | None = None) -> None:
        self._registry = registry
        self._current = current
        self._unusable = self._told = ""
        self._device = device
        self._new: SimpleQueue[DetectionModel] = SimpleQueue()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="revisions", daemon=True)
        if model.spec.promotion.revision is None:
            self._thread.start()

    def take(self) -> DetectionModel | None:
        """Return a newly active revision once, or None."""
        try:
            return self._new.get_nowait()
        except Empty:
            return None

    def stop(self) -> None:
        """Stop looking."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(self._registry.poll_seconds):
            try:
                self._look()
            except LogwardenError as error:  # an object storage that is away, for instance
                self._tell(str(error))
            except Exception:  # a defect: the running revision goes on, and the next one gets its chance
                _log.exception("the active revision cannot be taken over")
            else:
                self._told = ""

    def _tell(self, problem: str) -> None:
        """Say once what goes on being wrong."""
        if problem != self._told:
            _log.error("the active revision cannot be taken over: %s", problem)
            self._told = problem

    def _look(self) -> None:
        active = self._registry.active()
        if active is None or active in (self._current, self._unusable):
            return
        try:
            new = load(self._registry.open(active), self._device)
        except Exception as error:
            # What is wrong with the revision itself stays wrong; anything else may pass.
            if isinstance(error, InvalidInputError) or not isinstance(error, LogwardenError):
                self._unusable = active
            raise
        self._current, self._unusable = active, ""
        self._new.put(new)
