"""Open a revision by what a person writes: ``builtin``, a path, an id, ``active``, ``latest`` or a URI."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from logwarden.errors import InvalidInputError
from logwarden.revisions.folder import Revision, open_folder
from logwarden.revisions.registry import Registry

BUILTIN = "builtin"
BUILTIN_PATH = Path(__file__).resolve().parent.parent / "builtin" / "revision"


def open_revision(
    ref: str | Path, *, registry: Registry | None = None, cache_dir: Path | None = None, verify: bool = False
) -> Revision:
    """Open a model revision.

    Parameters
    ----------
    ref
        ``builtin`` (packaged with Logwarden); a folder; with ``registry`` an id or its unique beginning, ``active`` or
        ``latest``; or a URI of a revision's folder (``file``, ``s3``, ``gs``, ``https``, ``hf``), which is downloaded
        once.
    registry
        Where ids are looked up.
    cache_dir
        Where downloads are kept; ``~/.cache/logwarden/revisions`` by default.
    verify
        Hash every file also where the revision is large.

    Raises
    ------
    InvalidInputError
        Where there is no such revision, or it is damaged.
    LogwardenError
        Where a download fails.
    """
    if isinstance(ref, Path):
        return open_folder(ref, verify=verify)
    if ref == BUILTIN:
        return _open_builtin(verify=verify)
    if "://" in ref:
        return _open_uri(ref, cache_dir, verify=verify)
    if _is_path(ref):
        return open_folder(Path(ref).expanduser(), verify=verify)
    if registry is None:
        raise InvalidInputError(f"no model revision '{ref}': name {BUILTIN}, a folder or a URI")
    return registry.open(ref, verify=verify)


def registry_at(uri: str | None) -> Registry | None:
    """Return the registry at a ``file`` or ``s3`` URI, None where it is another URI or there is none."""
    if uri is not None and uri.startswith("s3://"):
        from logwarden.revisions.remote import RemoteRegistry

        return RemoteRegistry(uri, _cache())
    folder = _folder(uri or "")
    return None if folder is None else Registry(folder)


def _folder(uri: str) -> Path | None:
    parts = urlsplit(uri)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def _cache() -> Path:
    return Path.home() / ".cache" / "logwarden" / "revisions"


def _is_path(ref: str) -> bool:
    return "/" in ref or ref in (".", "..") or ref.startswith("~") or Path(ref).is_dir()


def _open_builtin(*, verify: bool) -> Revision:
    if not BUILTIN_PATH.is_dir():
        raise InvalidInputError(
            f"the packaged model is not at {BUILTIN_PATH}: install the package anew, or run 'make builtin-model'"
        )
    return open_folder(BUILTIN_PATH, verify=verify)


def _open_uri(uri: str, cache_dir: Path | None, *, verify: bool) -> Revision:
    if (folder := _folder(uri)) is not None:
        return open_folder(folder, verify=verify)
    if uri.startswith("pvc://"):
        raise InvalidInputError(f"{uri}: pvc:// exists only in a cluster; on one machine name the folder")
    from logwarden.revisions.download import download_revision

    return download_revision(uri, cache_dir or _cache(), verify=verify)
