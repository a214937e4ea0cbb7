"""What trainings leave behind, and its end: checkpoints of one that is over, and old revisions."""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path

from logwarden.api.anomaly_model import PromotionSpec
from logwarden.errors import InvalidInputError, LogwardenError
from logwarden.revisions import Registry
from logwarden.training.pipeline import Say

_ABANDONED_SECONDS = 7 * 86400
_DISCARDED = ".discarded-"
_MARK = ".logwarden-training"
"""A file by which a folder is known as one that a training may delete."""


def remove_old_revisions(registry: Registry, promotion: PromotionSpec, say: Say) -> list[str]:
    """Keep as many revisions as ``promotion.keepRevisions`` says; return the ids that went, newest first.

    The training before it was good, so trouble with the storage is said and not raised: the next one tries again.
    """
    always = {promotion.revision} if promotion.revision else set()
    try:
        removed = registry.keep(promotion.keep_revisions, always=always)
    except (LogwardenError, OSError) as error:
        say(f"old revisions could not be removed: {error}")
        return []
    if removed:
        say(f"removed {len(removed)} old revisions (promotion.keepRevisions): {', '.join(removed)}")
    return removed


def mark_for_discarding(work: Path) -> None:
    """Say of the folder of a training that it may be deleted afterwards.

    Raises
    ------
    InvalidInputError
        If it holds what no training put there.
    """
    mark = work / _MARK
    try:
        work.mkdir(parents=True, exist_ok=True)
        if not mark.exists() and any(work.iterdir()):
            raise InvalidInputError(f"--discard-work: {work} holds other files: name a new folder")
        mark.touch()
    except OSError as error:
        raise InvalidInputError(f"--work {work}: cannot be used: {error.strerror}") from None


def discard(work: Path, say: Say) -> None:
    """Delete the marked folder of a training that is over, and marked ones beside it that were left a week ago.

    A training that failed for good, or whose settings changed under it, never comes back to its folder.
    """
    try:
        _delete(work)
        for folder in work.parent.iterdir():
            if (folder / _MARK).is_file() and _is_abandoned(folder):
                _delete(folder)
    except OSError as error:
        say(f"checkpoints of past trainings could not be deleted: {error}")


def _delete(folder: Path) -> None:
    """Take a folder out of sight in one step, so that no later run finds half of it; then delete it."""
    if not folder.name.startswith(_DISCARDED):
        hidden = folder.with_name(f"{_DISCARDED}{folder.name}")
        shutil.rmtree(hidden, ignore_errors=True)
        folder = folder.rename(hidden)
    for path in folder.iterdir():
        if path.name != _MARK:  # last, so that what a killed run left is known later
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.rmtree(folder)


def _is_abandoned(folder: Path) -> bool:
    newest = folder.stat().st_mtime
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            newest = max(newest, path.stat().st_mtime)
    return time.time() - newest > _ABANDONED_SECONDS
