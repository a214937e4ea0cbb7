"""Load what the commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from logwarden.cli.common import data_dir

if TYPE_CHECKING:
    from logwarden.detect import DetectionModel


def load_model(reference: str) -> DetectionModel:
    """Load the revision that ``reference`` names: builtin, active, an id, a path or a URI."""
    from logwarden.local.revision import load
    from logwarden.revisions import open_revision

    return load(open_revision(reference, root=data_dir() / "models"))
