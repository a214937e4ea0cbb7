"""Lines from files, globs, recordings and standard input."""

from __future__ import annotations

import glob
import gzip
import io
import os
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from logwarden.errors import InvalidInputError
from logwarden.events import Batch
from logwarden.sources.lines import LineCutter
from logwarden.sources.recording import is_recorded, lines_file, take_apart

BATCH_LINES = 4096
CHUNK_BYTES = 512 * 1024
GZIP_MAGIC = b"\x1f\x8b"


def read_files(paths: Iterable[str | Path], *, batch_lines: int = BATCH_LINES) -> Iterator[Batch]:
    """Yield the lines of files, one file after the other, in batches of at most ``batch_lines``.

    Parameters
    ----------
    paths
        Files (plain or gzip, told apart by content), globs (``**`` goes into folders), folders that hold a recording
        of the lab, and ``-`` for standard input. A file that is named twice is read once.

    Raises
    ------
    InvalidInputError
        If an input does not exist: before anything is read. If one cannot be read, or a gzip file breaks off: after
        all lines of all inputs that could be read have been yielded.
    """
    errors = []
    for path in expand(paths):
        try:
            yield from read_file(path, batch_lines=batch_lines)
        except InvalidInputError as error:
            errors.append(error)
    if errors:
        raise InvalidInputError("; ".join(map(str, errors))) from errors[0]


def read_file(path: str, *, batch_lines: int = BATCH_LINES) -> Iterator[Batch]:
    """Yield the lines of one file, or of standard input for ``-``; see :func:`read_files`."""
    builder = BatchBuilder(stream_name(path), batch_lines)
    cutter = LineCutter()
    error: Exception | None = None
    with open_input(path) as file:
        chunks = _chunks(file)
        while True:
            try:
                chunk = next(chunks, None)
            except (EOFError, OSError, zlib.error) as problem:
                chunk, error = None, problem
            if chunk is None:
                break
            yield from builder.batches(cutter.feed(chunk))
    yield from builder.batches(cutter.finish())
    if error is not None:
        raise InvalidInputError(
            f"{path}: broken after line {builder.count} ({error}); the lines before it were read: get the file anew"
        ) from error


def expand(paths: Iterable[str | Path]) -> list[str]:
    """Return the files that ``paths`` name, in order and without repeats; ``-`` stays as it is."""
    found: dict[str, str] = {}
    for path in map(str, paths):
        for name in _expand_one(path):
            found.setdefault(name if name == "-" else str(Path(name).resolve()), name)
    return list(found.values())


def stream_name(path: str) -> str:
    """Return the stream name of a file: ``file:`` and its absolute path, ``file:-`` for standard input."""
    return "file:-" if path == "-" else f"file:{Path(path).absolute()}"


@contextmanager
def open_input(path: str) -> Iterator[io.BufferedReader | gzip.GzipFile]:
    """Open a file, or standard input for ``-``, for reading bytes; gzip is unpacked."""
    with ExitStack() as opened:
        try:
            raw = cast(io.BufferedReader, sys.stdin.buffer if path == "-" else opened.enter_context(_open(path)))
            magic = raw.peek(2)[:2]
        except OSError as error:
            raise InvalidInputError(f"cannot read {path}: {_reason(error)}") from error
        yield opened.enter_context(gzip.open(raw)) if magic == GZIP_MAGIC else raw


class BatchBuilder:
    """Numbers lines and puts them into batches; notices recordings by their first line."""

    def __init__(self, stream: str, batch_lines: int = BATCH_LINES) -> None:
        self.stream = stream
        self.count = 0
        self._batch_lines = batch_lines
        self._recorded = False
        self._last = 0.0

    def batches(self, lines: list[str]) -> Iterator[Batch]:
        """Yield ``lines``, which follow those of earlier calls."""
        if self.count == 0 and lines:
            self._recorded = is_recorded(lines[0])
        for start in range(0, len(lines), self._batch_lines):
            part = lines[start : start + self._batch_lines]
            positions = range(self.count + 1, self.count + 1 + len(part))
            self.count += len(part)
            yield self._recorded_batch(positions, part) if self._recorded else Batch(self.stream, positions, part)

    def _recorded_batch(self, positions: range, lines: list[str]) -> Batch:
        received, peers, raw = take_apart(lines, self._last)
        self._last = received[-1]
        return Batch(self.stream, positions, raw, received, peers)


def _open(path: str) -> BinaryIO:
    return Path(path).open("rb")


def _chunks(file: io.BufferedReader | gzip.GzipFile) -> Iterator[bytes]:
    while chunk := file.read1(CHUNK_BYTES):
        yield chunk


def _expand_one(path: str) -> list[str]:
    try:
        return _find(path)
    except OSError as error:  # such as a name that no file system takes
        raise InvalidInputError(f"cannot read {path}: {_reason(error)}") from error


def _find(path: str) -> list[str]:
    if path == "-":
        return [path]
    if glob.has_magic(path) and not os.path.lexists(path):
        names = glob.iglob(path, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute patterns
        files = sorted(name for name in names if Path(name).is_file())
        if not files:
            raise InvalidInputError(f"no file matches {path}: check the pattern, and quote it against the shell")
        return files
    if Path(path).is_dir():
        recorded = lines_file(Path(path))
        if recorded is None:
            raise InvalidInputError(f"{path} is a folder: name its files, for example '{path.rstrip('/')}/*.log'")
        return [str(recorded)]
    if not Path(path).exists():
        raise InvalidInputError(f"no such file: {path}")
    return [path]


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
