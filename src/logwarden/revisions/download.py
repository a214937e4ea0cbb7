"""Download a revision into a cache folder, whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from logwarden.api.manifest import MANIFEST_NAME, RevisionManifest
from logwarden.errors import InvalidInputError, LogwardenError
from logwarden.revisions.files import copy_durably, sync_tree, temporary_beside, write_durably
from logwarden.revisions.folder import (
    MANIFEST_MAX_BYTES,
    Revision,
    decode_manifest,
    manifest_bytes,
    open_folder,
    publish,
)

SCHEMES = ("s3", "gs", "https", "hf")
_PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "hf": "huggingface_hub", "https": "aiohttp"}


def download_revision(uri: str, cache_dir: Path, *, verify: bool = False) -> Revision:
    """Return the revision in a folder that fsspec can reach.

    The manifest is read each time, so a folder whose content changed is noticed; files are downloaded once per
    content, as the manifest names them (no listing is needed, so plain web servers do).

    Raises
    ------
    InvalidInputError
        Where the URI's scheme is unknown or what is there is no revision.
    LogwardenError
        Where the download fails, or a package for the scheme is missing.
    """
    with reaching(uri) as (filesystem, folder):
        return _download(uri, filesystem, folder, cache_dir, verify=verify)


@contextmanager
def reaching(uri: str, what: str = "download") -> Iterator[tuple[Any, str]]:
    """Yield the file system of fsspec that a URI names, and the folder in it; say what failed in words of ours.

    Raises
    ------
    InvalidInputError
        Where the URI's scheme is unknown, or something is not found.
    LogwardenError
        For everything else that fails meanwhile, or a package for the scheme is missing.
    """
    scheme = urlsplit(uri).scheme
    if scheme not in SCHEMES:
        raise InvalidInputError(f"{uri}: found {scheme}://, allowed: file://, {', '.join(f'{s}://' for s in SCHEMES)}")
    try:
        import fsspec

        filesystem, folder = fsspec.core.url_to_fs(uri)
        yield filesystem, folder.rstrip("/")
    except ImportError as error:
        package = _PACKAGES[scheme]
        raise LogwardenError(f"{uri}: {scheme}:// needs the Python package {package}: pip install {package}") from error
    except LogwardenError:
        raise
    except Exception as error:  # every file system of fsspec has errors of its own
        raise _explained(uri, what, error) from error


def _explained(uri: str, what: str, error: Exception) -> LogwardenError:
    """Return an error for a person. fsspec says "not found" for web servers that cannot be reached, too."""
    cause = error.__cause__ or error
    if is_missing_bucket(error):
        return InvalidInputError(f"{uri}: there is no such bucket")
    if isinstance(error, FileNotFoundError) and (cause is error or _answer(cause) in (404, "NoSuchKey", "404")):
        return InvalidInputError(f"{uri}: no model revision there: {error} was not found")
    if type(cause).__name__ in ("NoCredentialsError", "PartialCredentialsError"):  # botocore, maybe not installed
        return InvalidInputError(f"{uri}: the {what} needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    if isinstance(error, PermissionError) and error.errno is None:  # with one, it is this machine that refuses
        return InvalidInputError(f"{uri}: the {what} is not allowed with these credentials ({error})")
    return LogwardenError(f"{uri}: the {what} failed: {type(cause).__name__}: {cause}")


def is_missing_bucket(error: BaseException) -> bool:
    """Whether an error of a file system says that its bucket is not there."""
    return _answer(error.__cause__ or error) == "NoSuchBucket"


def _answer(error: BaseException) -> int | str | None:
    """Return the status of a web server's answer, or the code of a storage's."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        return str(response.get("Error", {}).get("Code"))
    return getattr(error, "status", None)


def _download(uri: str, filesystem: Any, folder: str, cache_dir: Path, *, verify: bool) -> Revision:
    manifest = fetch_manifest(uri, filesystem, folder)
    target = cache_dir / manifest.id
    if target.is_dir():
        return open_folder(target, verify=verify)
    cache_dir.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(target)
    try:
        temporary.mkdir()
        _fetch_files(uri, filesystem, folder, manifest, temporary)
        write_durably(temporary / MANIFEST_NAME, manifest_bytes(manifest))
        sync_tree(temporary)
        return publish(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def fetch_manifest(uri: str, filesystem: Any, folder: str) -> RevisionManifest:
    """Return the checked manifest of the revision in a folder of a file system."""
    with filesystem.open(f"{folder}/{MANIFEST_NAME}", "rb") as stream:
        data = stream.read(MANIFEST_MAX_BYTES + 1)
    if len(data) > MANIFEST_MAX_BYTES:
        raise InvalidInputError(f"{uri}: its {MANIFEST_NAME} is larger than {MANIFEST_MAX_BYTES // 1024} KiB")
    return decode_manifest(data, f"{uri}/{MANIFEST_NAME}")


def _fetch_files(uri: str, filesystem: Any, folder: str, manifest: RevisionManifest, target: Path) -> None:
    for name, info in manifest.files.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        with filesystem.open(f"{folder}/{name}", "rb") as stream:
            sha256, size = copy_durably(stream, target / name)
        if (sha256, size) != (info.sha256, info.size):
            raise LogwardenError(f"{uri}/{name}: {size} bytes came that are not the manifest's file: try again")
