"""One revision as a folder: write it in one step, open it, and refuse what is not what it says."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from logwarden.api.manifest import ID_LENGTH, MANIFEST_NAME, FileInfo, FilePath, RevisionManifest
from logwarden.errors import InvalidInputError
from logwarden.revisions.files import (
    copy_durably,
    file_sha256,
    sync_folder,
    sync_tree,
    temporary_beside,
    walk_files,
    write_durably,
)

ALWAYS_HASHED_BYTES = 64 * 1024 * 1024
"""Revisions up to this size are hashed each time they are opened: it takes well under a second."""

MANIFEST_MAX_BYTES = 4 * 1024 * 1024

_FILE_PATH = TypeAdapter(FilePath)


@dataclass(frozen=True, slots=True)
class Revision:
    """A revision on this machine: the folder and its manifest, checked against each other."""

    path: Path
    manifest: RevisionManifest

    @property
    def id(self) -> str:
        """Short content hash."""
        return self.manifest.id

    def file(self, name: str) -> Path:
        """Return the path of a file that the manifest lists.

        Raises
        ------
        InvalidInputError
            Where the manifest does not list it.
        """
        if name not in self.manifest.files:
            raise InvalidInputError(f"{self.path}: the revision has no file {name}; it was made for another use")
        return self.path / name


def write_revision(dest_root: Path, files_dir: Path, manifest_fields: dict[str, Any]) -> Revision:
    """Copy files into a new revision ``dest_root/ID``; it appears whole or not at all.

    Parameters
    ----------
    dest_root
        Folder of revisions; made if it does not exist.
    files_dir
        Folder whose files become the revision; it is left as it is. Without symlinks and without a manifest.
    manifest_fields
        Plain JSON values of all fields of :class:`RevisionManifest` but id, digest and files.

    Returns
    -------
    Revision
        The new one, or the one that already is there with the same content.

    Raises
    ------
    InvalidInputError
        Where a file has a forbidden name or the fields do not fit the manifest.
    """
    dest_root.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(dest_root / "revision")
    try:
        temporary.mkdir()
        files = _copy_files(files_dir, temporary)
        manifest = _new_manifest(files, manifest_fields)
        write_durably(temporary / MANIFEST_NAME, manifest_bytes(manifest))
        sync_tree(temporary)
        return publish(temporary, dest_root / manifest.id)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def publish(temporary: Path, target: Path) -> Revision:
    """Rename a finished folder to its final name; where that name is taken, keep what is there."""
    try:
        temporary.rename(target)
    except OSError:
        if not target.is_dir():
            raise
    sync_folder(target.parent)
    return open_folder(target)


def manifest_bytes(manifest: RevisionManifest) -> bytes:
    """Return a manifest as it stands in its file."""
    values = manifest.model_dump(mode="json", by_alias=True)
    return json.dumps(values, indent=2, ensure_ascii=False).encode() + b"\n"


def _copy_files(source: Path, target: Path) -> dict[str, FileInfo]:
    files = {}
    for name, entry in sorted(walk_files(source)):
        if entry.is_symlink() or not entry.is_file():
            raise InvalidInputError(f"{entry.path}: not a plain file, and a revision holds nothing else")
        _check_name(name, source)
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        with Path(entry.path).open("rb") as stream:
            sha256, size = copy_durably(stream, target / name)
        files[name] = FileInfo(sha256=sha256, size=size)
    return files


def _check_name(name: str, folder: Path) -> None:
    try:
        _FILE_PATH.validate_python(name)
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise InvalidInputError(f"{folder}: the file name '{name}' cannot be used: {reason}") from None


def _new_manifest(files: dict[str, FileInfo], fields: dict[str, Any]) -> RevisionManifest:
    """Fill in id, digest and files. The digest is taken over validated values, so defaults count as written."""
    draft = parse_manifest({**fields, "files": files, "id": "0" * ID_LENGTH, "digest": "0" * 64}, "the new manifest")
    digest = draft.computed_digest()
    return draft.model_copy(update={"digest": digest, "id": digest[:ID_LENGTH]})


def parse_manifest(values: Any, where: str) -> RevisionManifest:
    """Return the manifest that plain values describe.

    Raises
    ------
    InvalidInputError
        Naming ``where``, the first wrong field and what is wrong with it.
    """
    try:
        return RevisionManifest.model_validate(values)
    except ValidationError as error:
        first, count = error.errors(include_url=False)[0], error.error_count()
        field = ".".join(str(step) for step in first["loc"]) or "the whole"
        more = f" (and {count - 1} more)" if count > 1 else ""
        reason = first["msg"].removeprefix("Value error, ")
        raise InvalidInputError(f"{where}: {field}: {reason}{more}") from None


def read_manifest(folder: Path) -> RevisionManifest:
    """Read and check the manifest of a folder, without looking at its files.

    Raises
    ------
    InvalidInputError
        Where there is none, or it is not the manifest of a revision.
    """
    path = folder / MANIFEST_NAME
    try:
        if path.is_symlink() or not path.is_file():
            raise InvalidInputError(f"{folder}: not a model revision: it has no {MANIFEST_NAME}")
        if path.stat().st_size > MANIFEST_MAX_BYTES:
            raise InvalidInputError(f"{path}: larger than {MANIFEST_MAX_BYTES // 1024} KiB, so not a manifest")
        return decode_manifest(path.read_bytes(), str(path))
    except OSError as error:
        raise InvalidInputError(f"{path}: cannot be read: {error.strerror}") from None


def decode_manifest(data: bytes, where: str) -> RevisionManifest:
    """Return the manifest in the bytes of its file, with its own hash checked.

    Raises
    ------
    InvalidInputError
        Naming ``where``, for anything else.
    """
    try:
        values = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"{where}: not valid JSON: {error}") from None
    manifest = parse_manifest(values, where)
    if manifest.digest != manifest.computed_digest() or manifest.id != manifest.digest[:ID_LENGTH]:
        raise InvalidInputError(f"{where}: its digest does not fit its content: it was changed after it was written")
    return manifest


def open_folder(folder: Path, *, verify: bool = False) -> Revision:
    """Open a revision's folder.

    Names and sizes of all files are always compared with the manifest, hashes up to
    :data:`ALWAYS_HASHED_BYTES` and with ``verify``.

    Raises
    ------
    InvalidInputError
        Where the folder is no revision, or files are missing, changed, foreign, or symlinks.
    """
    manifest = read_manifest(folder)
    revision = Revision(folder, manifest)
    _check_listing(revision)
    if verify or manifest.size <= ALWAYS_HASHED_BYTES:
        verify_files(revision)
    return revision


def _check_listing(revision: Revision) -> None:
    """Compare names and sizes in the folder with the manifest."""
    expected = dict(revision.manifest.files)
    for name, entry in walk_files(revision.path):
        if entry.is_symlink():
            raise InvalidInputError(f"{entry.path}: a symlink, which a revision must not contain")
        if name == MANIFEST_NAME:
            continue
        info = expected.pop(name, None)
        if info is None:
            raise InvalidInputError(f"{entry.path}: not listed in {MANIFEST_NAME}: remove it, or copy the folder anew")
        size = entry.stat(follow_symlinks=False).st_size
        if size != info.size:
            raise InvalidInputError(f"{entry.path}: {size} bytes, {info.size} expected: copy the revision anew")
    if expected:
        missing = ", ".join(sorted(expected)[:3])
        raise InvalidInputError(f"{revision.path}: missing {missing}: copy the revision anew")


def verify_files(revision: Revision) -> None:
    """Compare the content of every file with the manifest.

    Raises
    ------
    InvalidInputError
        Naming the first file that differs.
    """
    for name, info in revision.manifest.files.items():
        if file_sha256(revision.path / name) != info.sha256:
            raise InvalidInputError(f"{revision.path / name}: damaged: its hash is not the manifest's")
