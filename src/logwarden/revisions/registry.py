"""A folder of revisions, one of which is active.

Layout: ``ROOT/ID/`` per revision and ``ROOT/active.json``, one small file that is replaced in one step. It holds the
stack of promotions, its last entry is active; so the pointer and the history can never disagree.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from logwarden.api.manifest import ID_LENGTH, RevisionManifest
from logwarden.errors import InvalidInputError, LogwardenError
from logwarden.revisions.files import TEMPORARY_PREFIX, replace_file, temporary_beside
from logwarden.revisions.folder import Revision, open_folder, read_manifest

POINTER_NAME = "active.json"
MAX_HISTORY = 100
LEFTOVER_SECONDS = 86400


class Entry(NamedTuple):
    """A revision in a list: ``problem`` says why it cannot be used, where ``manifest`` is None."""

    id: str
    manifest: RevisionManifest | None
    active: bool
    problem: str | None


class _Promotion(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: str = Field(pattern=r"^[0-9a-f]{12}$")
    time: AwareDatetime


class _Pointer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    promotions: list[_Promotion] = []


class Registry:
    """The revisions below a folder. The folder may be missing: then there are none yet.

    All methods raise InvalidInputError where a revision is not there or is damaged.

    Attributes
    ----------
    root
        The folder.
    poll_seconds
        How often it is worth asking which revision is active.
    """

    poll_seconds = 3.0

    def __init__(self, root: Path) -> None:
        self.root = root

    def __str__(self) -> str:
        return str(self.root)

    def entries(self) -> list[Entry]:
        """Return all revisions, newest first; those that cannot be read come last, with the reason."""
        active = self.active()
        entries = [self._entry(name, active) for name in self._names()]
        oldest = datetime.min.replace(tzinfo=UTC)
        return sorted(entries, key=lambda entry: entry.manifest.created if entry.manifest else oldest, reverse=True)

    def active(self) -> str | None:
        """Return the id of the active revision, or None where none was promoted yet."""
        promotions = self._read_pointer().promotions
        return promotions[-1].id if promotions else None

    def open(self, ref: str, *, verify: bool = False) -> Revision:
        """Open a revision by ``active``, ``latest``, its id or the unique beginning of it."""
        name = self.resolve(ref)
        revision = self._open(name, verify=verify)
        if revision.id != name:
            raise InvalidInputError(f"{revision.path}: holds revision {revision.id}: rename the folder to that")
        return revision

    def resolve(self, ref: str) -> str:
        """Return the id that ``active``, ``latest``, an id or its unique beginning stands for."""
        if ref == "active":
            return self._active_or_fail()
        if ref == "latest":
            return self._latest()
        names = self._names()
        found = [name for name in names if name.startswith(ref)] if ref else []
        if len(found) == 1:
            return found[0]
        if found:
            raise InvalidInputError(f"'{ref}' is the beginning of several revisions: {', '.join(found)}")
        there = ", ".join(names) or "none yet"
        raise InvalidInputError(f"no model revision '{ref}' in {self}; there: {there}")

    def check_writable(self) -> None:
        """Make sure that a revision can be added, before hours are spent on it.

        Raises
        ------
        LogwardenError
            If it cannot.
        """
        probe = temporary_beside(self.root / "probe")
        try:
            probe.mkdir(parents=True)
            probe.rmdir()
        except OSError as error:
            raise LogwardenError(f"{self.root}: cannot hold revisions: {error.strerror}") from None

    def add(self, revision: Revision) -> None:
        """Take in a revision that was written to :attr:`root`."""

    def promote(self, ref: str) -> Revision:
        """Make a revision active, after all its files were checked. Promoting the active one changes nothing."""
        with self._locked():
            revision = self.open(ref, verify=True)
            promotions = self._read_pointer().promotions
            if not promotions or promotions[-1].id != revision.id:
                promotions.append(_Promotion(id=revision.id, time=datetime.now(UTC)))
                self._write_pointer(promotions)
        return revision

    def rollback(self) -> Revision:
        """Make the revision active again that was active before; those no longer there are passed over."""
        with self._locked():
            promotions, there = self._read_pointer().promotions, self._names()
            for count in range(len(promotions) - 1, 0, -1):
                candidate = promotions[count - 1].id
                if candidate != promotions[-1].id and candidate in there:
                    revision = self.open(candidate, verify=True)
                    self._write_pointer(promotions[:count])
                    return revision
        raise InvalidInputError(f"nothing to roll back to in {self}: no revision was active before")

    def keep(self, count: int, *, always: Collection[str] = ()) -> list[str]:
        """Remove all but the newest ``count`` revisions besides the active one; return the ids that went, newest first.

        The active one, the one a rollback would take and those of ``always`` stay, whatever their age; what cannot be
        read stays too.
        """
        with self._locked():
            others = [entry.id for entry in self.entries() if entry.manifest is not None and not entry.active]
            removed = []
            for name in others[count:]:
                # Read each time: where nothing locks, one may be promoted meanwhile.
                recent = {promotion.id for promotion in self._read_pointer().promotions[-2:]}
                if name not in recent and name not in always:
                    self._remove(name)
                    removed.append(name)
            self._remove_leftovers()
        return removed

    # What a registry in another place does differently

    def _names(self) -> list[str]:
        if not self.root.is_dir():
            return []
        return sorted(path.name for path in self.root.iterdir() if is_id(path.name) and path.is_dir())

    def _manifest(self, name: str) -> RevisionManifest:
        return read_manifest(self.root / name)

    def _open(self, name: str, *, verify: bool) -> Revision:
        return open_folder(self.root / name, verify=verify)

    def _remove(self, name: str) -> None:
        """Take the folder out of sight in one step, then delete it."""
        folder = self.root / name
        hidden = temporary_beside(folder)
        folder.rename(hidden)
        shutil.rmtree(hidden)

    def _remove_leftovers(self) -> None:
        """Delete what killed writers left behind. A writer at work has touched its folder within the last day."""
        for path in self.root.glob(f"{TEMPORARY_PREFIX}*"):
            if time.time() - path.stat().st_mtime > LEFTOVER_SECONDS:
                shutil.rmtree(path, ignore_errors=True)

    def _read_file(self, name: str) -> bytes:
        try:
            return (self.root / name).read_bytes()
        except NotADirectoryError:
            raise InvalidInputError(f"{self}: not a folder, so no registry of revisions") from None

    def _write_file(self, name: str, data: bytes) -> None:
        replace_file(self.root / name, data)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one process at a time change the registry."""
        if not self.root.is_dir():
            raise InvalidInputError(f"no model revision in {self} yet: run 'logwarden train'")
        try:
            with (self.root / ".lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except PermissionError as error:
            raise LogwardenError(f"{error.filename}: no permission to change this registry") from error

    # The same in every place

    def _entry(self, name: str, active: str | None) -> Entry:
        try:
            manifest = self._manifest(name)
            if manifest.id != name:
                raise InvalidInputError(f"{self}/{name}: holds revision {manifest.id}")
        except InvalidInputError as error:
            return Entry(name, None, name == active, str(error))
        return Entry(name, manifest, name == active, None)

    def _active_or_fail(self) -> str:
        active = self.active()
        if active is None:
            raise InvalidInputError(f"no revision is active in {self}: run 'logwarden models promote ID'")
        return active

    def _latest(self) -> str:
        usable = [entry.id for entry in self.entries() if entry.manifest is not None]
        if not usable:
            raise InvalidInputError(f"no model revision in {self} yet: run 'logwarden train'")
        return usable[0]

    def _read_pointer(self) -> _Pointer:
        try:
            return _Pointer.model_validate_json(self._read_file(POINTER_NAME))
        except FileNotFoundError:
            return _Pointer()
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            where = f"{self}/{POINTER_NAME}"
            raise InvalidInputError(f"{where}: damaged ({reason}): remove it and promote a revision anew") from None

    def _write_pointer(self, promotions: list[_Promotion]) -> None:
        pointer = _Pointer(promotions=promotions[-MAX_HISTORY:])
        values = pointer.model_dump(mode="json")
        self._write_file(POINTER_NAME, json.dumps(values, indent=1).encode() + b"\n")


def is_id(name: str) -> bool:
    """Whether a name of a folder can be that of a revision."""
    return len(name) == ID_LENGTH and not name.startswith(TEMPORARY_PREFIX)
