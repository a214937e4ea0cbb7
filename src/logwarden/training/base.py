"""Find the weights that a training starts from."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from logwarden.api.manifest import MANIFEST_NAME
from logwarden.detect.model import LANGUAGE_FOLDER
from logwarden.revisions import BUILTIN, Revision, open_revision

_HUGGING_FACE = "hf://"


def base_revision(base: str) -> Revision | None:
    """Return the model revision that ``base`` names; None where it is no revision but a T5 alone.

    Raises
    ------
    InvalidInputError
        If it names a revision that is not there or is damaged.
    """
    if base == BUILTIN:
        return open_revision(base)
    path = _path(base)
    if path is not None:
        return open_revision(path) if (path / MANIFEST_NAME).is_file() else None
    return open_revision(base) if "://" in base and not base.startswith(_HUGGING_FACE) else None


def base_weights(base: str) -> str | Path:
    """Return the folder of the T5 that ``base`` names, or its name at Hugging Face."""
    revision = base_revision(base)
    if revision is not None:
        return revision.path / LANGUAGE_FOLDER
    return _path(base) or base.removeprefix(_HUGGING_FACE)


def _path(base: str) -> Path | None:
    if base.startswith("file://"):
        return Path(unquote(urlsplit(base).path))
    path = Path(base).expanduser()
    return path if path.is_dir() else None
