"""A registry of revisions in object storage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from logwarden.api.manifest import MANIFEST_NAME, RevisionManifest
from logwarden.revisions.download import download_revision, fetch_manifest, reaching
from logwarden.revisions.folder import Revision, manifest_bytes
from logwarden.revisions.registry import Registry, is_id

_PROBE = ".logwarden-can-write"


class RemoteRegistry(Registry):
    """The revisions below a URI of object storage, laid out as below a folder.

    An object appears whole or not at all, and the manifest of a revision is written last and deleted first: what has
    one is whole. Nothing locks the storage: of two promotions at the same moment, one may be missing in the history.

    Parameters
    ----------
    uri
        Such as ``s3://BUCKET/PATH``.
    copies
        Folder for copies of revisions that are opened, and for new ones before they are added.
    """

    poll_seconds = 15.0

    def __init__(self, uri: str, copies: Path) -> None:
        super().__init__(copies)
        self._uri = uri.rstrip("/")

    def __str__(self) -> str:
        return self._uri

    def check_writable(self) -> None:
        """Write something small, and delete it."""
        self._write_file(_PROBE, b"")
        with self._reached("removal") as (files, folder):
            files.rm_file(f"{folder}/{_PROBE}")

    def add(self, revision: Revision) -> None:
        """Upload a revision that was written to :attr:`root`."""
        with self._reached("upload") as (files, folder):
            for name in revision.manifest.files:
                files.put_file(str(revision.path / name), f"{folder}/{revision.id}/{name}")
            files.pipe_file(f"{folder}/{revision.id}/{MANIFEST_NAME}", manifest_bytes(revision.manifest))

    @contextmanager
    def _reached(self, what: str = "download") -> Iterator[tuple[Any, str]]:
        """Yield the file system and the folder in it; its own errors become ours."""
        with reaching(self._uri, what) as (files, folder):
            # Other processes change what is there, and listings would be remembered.
            files.invalidate_cache()
            yield files, folder

    def _names(self) -> list[str]:
        with self._reached() as (files, folder):
            # Not its folders: some storages keep those of which every file is gone.
            found = [PurePosixPath(path).relative_to(folder).parts for path in files.find(folder)]
        return sorted({parts[0] for parts in found if len(parts) > 1 and is_id(parts[0])})

    def _manifest(self, name: str) -> RevisionManifest:
        uri = f"{self._uri}/{name}"
        with reaching(uri) as (files, folder):
            return fetch_manifest(uri, files, folder)

    def _open(self, name: str, *, verify: bool) -> Revision:
        return download_revision(f"{self._uri}/{name}", self.root, verify=verify)

    def _remove(self, name: str) -> None:
        with self._reached("removal") as (files, folder):
            files.rm_file(f"{folder}/{name}/{MANIFEST_NAME}")
            files.rm(f"{folder}/{name}", recursive=True)

    def _remove_leftovers(self) -> None:
        """Leave what killed uploads left behind: its age cannot be told from that of one at work."""

    def _read_file(self, name: str) -> bytes:
        with self._reached() as (files, folder):
            try:
                return bytes(files.cat_file(f"{folder}/{name}"))
            except FileNotFoundError as error:
                missing = error
        raise missing

    def _write_file(self, name: str, data: bytes) -> None:
        with self._reached("upload") as (files, folder):
            files.pipe_file(f"{folder}/{name}", data)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        yield
