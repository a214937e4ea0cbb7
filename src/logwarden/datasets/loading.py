"""Find the reader for a data set."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from logwarden.datasets import remote
from logwarden.datasets.dataset import Dataset
from logwarden.datasets.hdfs import load_hdfs
from logwarden.datasets.kept import Say
from logwarden.datasets.lab import LAB, is_lab, load_lab
from logwarden.datasets.lines import load_lines
from logwarden.errors import InvalidInputError

AUTO = "auto"
_log = logging.getLogger(__name__)

_READERS: dict[str, Callable[[str], Dataset]] = {
    LAB: load_lab,
    "lines": load_lines,
    "ndjson": lambda path: load_lines(path, json_only=True),
    "hdfs": load_hdfs,
}
FORMATS = (AUTO, *_READERS)
"""The formats that can be read."""


def load_dataset(uri: str, data_format: str = AUTO, *, folder: Path | None = None, say: Say = _log.info) -> Dataset:
    """Read a data set.

    Parameters
    ----------
    uri
        Path or ``file://`` URI of a file or folder, a glob, or ``lab`` for the recordings in the repository. With
        ``folder`` also ``s3://``.
    data_format
        One of :data:`FORMATS`; ``auto`` takes recordings of the lab for what they are and all else for lines.
    folder
        For copies of what is not on this machine; see :func:`logwarden.datasets.kept_until_done`.
    say
        Is told what is fetched.

    Raises
    ------
    InvalidInputError
        If the format is unknown, or there is nothing of this format.
    LogwardenError
        If what is not on this machine cannot be fetched.
    """
    if folder is None or not uri.startswith(remote.SCHEME):
        return _load(local_path(uri), data_format)
    copy = str(remote.fetch(uri, folder, say))
    try:
        return replace(_load(copy, data_format), uri=uri)
    except InvalidInputError as error:
        raise InvalidInputError(str(error).replace(copy, uri)) from error


def _load(path: str, data_format: str) -> Dataset:
    if data_format == AUTO:
        data_format = LAB if path == LAB or is_lab(Path(path)) else "lines"
    reader = _READERS.get(data_format)
    if reader is None:
        raise InvalidInputError(
            f"format {data_format} cannot be read by this version; it reads {', '.join(FORMATS)}: convert the data to "
            "lines, one record a line"
        )
    return reader(path)


def local_path(uri: str) -> str:
    """Return the path that a URI names on this machine.

    Raises
    ------
    InvalidInputError
        If it lies elsewhere.
    """
    scheme, separator, _ = uri.partition("://")
    if not separator:
        return str(Path(uri).expanduser())
    if scheme == "file":
        return unquote(urlsplit(uri).path)
    raise InvalidInputError(f"{uri}: {scheme}:// cannot be read here: copy the files to this machine, name their path")
