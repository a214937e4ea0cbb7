"""A registry of revisions in object storage."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from logwarden.api.manifest import MANIFEST_NAME, RevisionManifest
from logwarden.errors import InvalidInputError, LogwardenError
from logwarden.revisions.download import download_revision, fetch_manifest, is_missing_bucket, reaching
from logwarden.revisions.folder import Revision, manifest_bytes
from logwarden.revisions.registry import LEFTOVER_SECONDS, Registry, is_id

_PROBE = ".logwarden-can-write"
_log = logging.getLogger(__name__)


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
    patience_seconds = 600.0
    """For so long a result is offered to a storage that does not take it."""
    first_wait_seconds = 1.0

    def __init__(self, uri: str, copies: Path) -> None:
        super().__init__(copies)
        self._uri = uri.rstrip("/")

    def __str__(self) -> str:
        return self._uri

    def check_writable(self) -> None:
        """Make sure that a revision can be added, before hours are spent on it."""
        super().check_writable()
        with self._reached("upload") as (files, folder):
            files.pipe_file(f"{folder}/{_PROBE}", b"")
        # Who may not delete can train all the same.
        with suppress(LogwardenError), self._reached("removal") as (files, folder):
            files.rm_file(f"{folder}/{_PROBE}")

    def add(self, revision: Revision) -> None:
        """Upload a revision that was written to :attr:`root`."""

        def upload() -> None:
            with self._reached("upload") as (files, folder):
                for name in revision.manifest.files:
                    files.put_file(str(revision.path / name), f"{folder}/{revision.id}/{name}")
                files.pipe_file(f"{folder}/{revision.id}/{MANIFEST_NAME}", manifest_bytes(revision.manifest))

        try:
            self._patiently(upload)
        except LogwardenError as error:
            # Not a wrong input: it could be written when the training began.
            raise LogwardenError(f"{error}; the revision lies in {revision.path}") from error

    def _patiently(self, call: Callable[[], None]) -> None:
        """Try again for a while, with growing pauses: credentials are renewed, and storages come back."""
        until, wait = time.monotonic() + self.patience_seconds, self.first_wait_seconds
        while True:
            try:
                return call()
            except LogwardenError as error:
                if time.monotonic() + wait > until:
                    raise
                _log.warning("%s; trying again in %.0f s", error, wait)
                time.sleep(wait)
                wait = min(2 * wait, 60.0)

    @contextmanager
    def _reached(self, what: str = "download") -> Iterator[tuple[Any, str]]:
        """Yield the file system and the folder in it; its own errors become ours."""
        with reaching(self._uri, what) as (files, folder):
            # Other processes change what is there, and listings would be remembered.
            files.invalidate_cache()
            yield files, folder

    def _objects(self, below: str = "") -> dict[tuple[str, ...], dict[str, Any]]:
        """Return what is known of each object, by the parts of its name below the registry."""
        with self._reached() as (files, folder):
            found = files.find(f"{folder}/{below}".rstrip("/"), detail=True)
            return {PurePosixPath(path).relative_to(folder).parts: info for path, info in found.items()}

    def _names(self) -> list[str]:
        # Not by listing folders: some storages keep those of which every object is gone.
        return sorted({parts[0] for parts in self._objects() if len(parts) > 1 and is_id(parts[0])})

    def _manifest(self, name: str) -> RevisionManifest:
        uri = f"{self._uri}/{name}"
        with reaching(uri) as (files, folder):
            files.invalidate_cache()
            return fetch_manifest(uri, files, folder)

    def _open(self, name: str, *, verify: bool) -> Revision:
        revision = download_revision(f"{self._uri}/{name}", self.root, verify=verify)
        if verify:
            there = {"/".join(parts[1:]): info["size"] for parts, info in self._objects(name).items()}
            for file, info in revision.manifest.files.items():
                if there.get(file) != info.size:
                    raise InvalidInputError(f"{self}/{name}/{file}: missing or damaged: copy the revision anew")
        return revision

    def _remove(self, name: str) -> None:
        with self._reached("removal") as (files, folder):
            with suppress(FileNotFoundError):
                files.rm_file(f"{folder}/{name}/{MANIFEST_NAME}")
            files.rm(f"{folder}/{name}", recursive=True)

    def _remove_leftovers(self) -> None:
        """Delete what uploads and removals left that were broken off. One at work has written within the last day."""
        newest: dict[str, datetime] = {}
        whole = set()
        for parts, info in self._objects().items():
            if len(parts) > 1 and is_id(parts[0]):
                newest[parts[0]] = max(newest.get(parts[0], datetime.min.replace(tzinfo=UTC)), info["LastModified"])
                if parts[1:] == (MANIFEST_NAME,):
                    whole.add(parts[0])
        for name in newest.keys() - whole:
            if time.time() - newest[name].timestamp() > LEFTOVER_SECONDS:
                self._remove(name)

    def _read_file(self, name: str) -> bytes:
        with self._reached() as (files, folder):
            try:
                return bytes(files.cat_file(f"{folder}/{name}"))
            except FileNotFoundError as error:
                if is_missing_bucket(error):
                    raise
                missing = error
        raise missing

    def _write_file(self, name: str, data: bytes) -> None:
        def upload() -> None:
            with self._reached("upload") as (files, folder):
                files.pipe_file(f"{folder}/{name}", data)

        self._patiently(upload)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        yield
