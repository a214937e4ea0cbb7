"""Data sets in object storage: fetched into a folder on this machine, through fsspec."""

from __future__ import annotations

import glob
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

from logwarden.datasets.kept import Say, fetch_once
from logwarden.errors import InvalidInputError, LogwardenError

SCHEME = "s3://"


def fetch(uri: str, folder: Path, say: Say) -> Path:
    """Return a copy of a file, of all files below a folder, or of those that a glob matches.

    Credentials and endpoint come from the environment, as every client of S3 reads them: ``AWS_ACCESS_KEY_ID``,
    ``AWS_SECRET_ACCESS_KEY``, ``AWS_ENDPOINT_URL``.

    Parameters
    ----------
    uri
        An ``s3://BUCKET/PATH``.
    folder
        For copies; see :func:`logwarden.datasets.kept_until_done`.
    say
        Is told what is fetched.

    Raises
    ------
    InvalidInputError
        If nothing is there, or it must not be read.
    LogwardenError
        If the storage cannot be reached, or the package for it is missing.
    """
    copies = folder / sha256(uri.encode()).hexdigest()[:16]
    try:
        import fsspec

        filesystem, path = fsspec.core.url_to_fs(uri)
        fetch_once(copies, [uri], lambda: _copy(uri, filesystem, path.rstrip("/"), copies, say), say)
    except ImportError as error:
        raise LogwardenError(f"{uri}: s3:// needs the Python package s3fs: pip install s3fs") from error
    except LogwardenError:
        raise
    except FileNotFoundError as error:
        raise InvalidInputError(f"{uri}: not found: check bucket and path") from error
    except PermissionError as error:
        raise InvalidInputError(f"{uri}: must not be read with these credentials ({error})") from error
    except Exception as error:  # botocore has errors of its own, for instance for an address where nobody answers
        raise LogwardenError(f"{uri}: cannot be fetched: {type(error).__name__}: {error}") from error
    content = copies / "content"
    return content if content.is_dir() else next(copies.glob("file/*"))


def _copy(uri: str, filesystem: Any, path: str, copies: Path, say: Say) -> None:
    if not glob.has_magic(path) and filesystem.isfile(path):
        say(f"fetching {uri}")
        _copy_file(filesystem, path, copies / "file" / PurePosixPath(path).name)
        return
    names = filesystem.glob(path) if glob.has_magic(path) else filesystem.find(path)
    files = [name for name in names if not name.endswith("/") and filesystem.isfile(name)]
    if not files:
        raise InvalidInputError(f"{uri}: no file is there: check bucket and path")
    say(f"fetching {len(files)} files from {uri}")
    for name in files:
        inside = PurePosixPath(name).relative_to(_fixed(path))
        if ".." in inside.parts:
            raise InvalidInputError(f"{uri}: {name} is no name for a file: rename it")
        _copy_file(filesystem, name, copies / "content" / inside)


def _copy_file(filesystem: Any, name: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    filesystem.get_file(name, str(target))


def _fixed(path: str) -> str:
    """Return the folders of a path before its first wildcard."""
    parts = PurePosixPath(path).parts
    fixed = next((number for number, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    return "/".join(parts[:fixed])
