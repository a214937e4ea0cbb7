"""Read plain log files, of which nothing is known: everything in them counts as normal."""

from __future__ import annotations

import glob
import gzip
import json
import logging
from pathlib import Path

from logwarden.datasets.chronological import Span, recordings, split_files
from logwarden.datasets.dataset import Dataset
from logwarden.datasets.recording import FileLines
from logwarden.errors import InvalidInputError
from logwarden.sources.files import expand, open_input

_log = logging.getLogger(__name__)

_SAMPLE = 4096


def load_lines(path: str, *, json_only: bool = False) -> Dataset:
    """Read log files (plain or gzip) and divide them by time.

    Parameters
    ----------
    path
        A file, a glob, or a folder: then all files below it that are text.
    json_only
        Whether every file must hold one JSON object a line.

    Raises
    ------
    InvalidInputError
        If there is no such file, or too few lines.
    """
    files = _text_files(path)
    if json_only:
        for file in files:
            _check_json(file)
    train, validation, test = (recordings(spans, _read) for spans in split_files(files, path))
    return Dataset(path, "ndjson" if json_only else "lines", "by time, 60 : 20 : 20 lines", train, validation, test)


def _text_files(path: str) -> list[Path]:
    if Path(path).is_dir() and not glob.has_magic(path):
        files = sorted(file for file in Path(path).rglob("[!.]*") if file.is_file())
    else:
        files = [Path(name) for name in expand([path])]
    texts = [file for file in files if _is_text(file)]
    for file in files:
        if file not in texts:
            _log.warning("%s is left out: it is not text", file)
    if not texts:
        raise InvalidInputError(f"{path}: no text file found: name a log file, a folder with some, or a glob")
    return texts


def _is_text(file: Path) -> bool:
    return b"\0" not in _sample(file)


def _sample(file: Path) -> bytes:
    try:
        with open_input(str(file)) as opened:
            return opened.read(_SAMPLE)
    except (gzip.BadGzipFile, EOFError) as error:
        raise InvalidInputError(f"{file}: damaged gzip file ({error}): get it anew, or leave it out") from error


def _check_json(file: Path) -> None:
    first = next((line for line in _sample(file).splitlines() if line.strip()), b"")
    try:
        is_object = isinstance(json.loads(first), dict)
    except ValueError:
        is_object = len(first) >= _SAMPLE - 1 and first.startswith(b"{")  # longer than the sample
    if not is_object:
        raise InvalidInputError(f"{file}: the first line is no JSON object: take format lines for other logs")


def _read(span: Span) -> tuple[str, FileLines]:
    return f"{span.path.name}:{span.first}-{span.last}", FileLines(span.path, span.first, span.last)
