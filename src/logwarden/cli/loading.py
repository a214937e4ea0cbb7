"""Load what the commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from logwarden.cli.common import data_dir
from logwarden.errors import InvalidInputError

if TYPE_CHECKING:
    from logwarden.api.load import PipelineWithModel
    from logwarden.detect import DetectionModel


def load_model(reference: str) -> DetectionModel:
    """Load the revision that ``reference`` names: builtin, active, an id, a path or a URI."""
    from logwarden.local.revision import load
    from logwarden.revisions import Registry, open_revision

    return load(open_revision(reference, registry=Registry(data_dir() / "models")))


def choose_pipeline(file: Path, name: str | None) -> PipelineWithModel:
    """Return the pipeline that a file holds, or the one with this name, with its model.

    Raises
    ------
    InvalidInputError
        If there is none, or several and no name.
    """
    from logwarden.api.load import load_pipelines

    found = load_pipelines(file)
    names = ", ".join(one.pipeline.name for one in found)
    if name is None and len(found) > 1:
        raise InvalidInputError(f"{file} has several pipelines: choose one with --pipeline ({names})")
    for one in found:
        if name in (None, one.pipeline.name):
            return one
    raise InvalidInputError(f"{file} has no LogPipeline {name}; there is {names}")
