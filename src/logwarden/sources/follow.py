"""Following files while they grow, across rotation, truncation and restarts."""

from __future__ import annotations

import logging
import os
import re
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, NamedTuple

from logwarden.errors import InvalidInputError
from logwarden.events import Batch
from logwarden.sources.files import (
    BATCH_LINES,
    CHUNK_BYTES,
    GZIP_MAGIC,
    BatchBuilder,
    expand,
    open_input,
    read_file,
    stream_name,
)
from logwarden.sources.lines import LineCutter

_POLL_SECONDS = 0.25
_QUIET_SECONDS = 1.0
_FINGERPRINT_CHARACTERS = 1024
# What log rotation adds to a name: a number or a date, perhaps compressed.
_ROTATED = r"[.-]\d[\w.-]*"
_POSITIVE = 2**63 - 1
_log = logging.getLogger(__name__)


class Identity(NamedTuple):
    """By what a file is known again under another name.

    Attributes
    ----------
    generation
        How many files have borne the followed name so far, this one included.
    inode
        Its number in the file system.
    first
        A hash of its first line: a file is only added to, so that stays.
    """

    generation: int
    inode: int
    first: int


class Begun(NamedTuple):
    """The first line of a file follows. ``path`` is the followed name."""

    path: str
    stream: str
    identity: Identity


class Quiet(NamedTuple):
    """Nothing was added to a file for so many seconds."""

    stream: str
    seconds: float


class Ended(NamedTuple):
    """A file was read to its end and nothing will be added: another one bears its name."""

    stream: str


Item = Batch | Begun | Quiet | Ended


def follow_files(
    paths: Iterable[str | Path],
    *,
    stopped: Callable[[], bool],
    known: Mapping[str, Identity] | None = None,
    batch_lines: int = BATCH_LINES,
) -> Iterator[Item]:
    """Yield the lines of files from their start, then those that are added, until ``stopped()`` is true.

    A rotated file is read to its end before its successor is begun. The lines of the second file that bears a name
    belong to the stream ``file:PATH#2``, counted from 1 again, and so on. A last line without a line feed is held
    until it is complete or the file is replaced.

    Parameters
    ----------
    paths
        Files, or globs that are expanded once.
    stopped
        Asked after every batch, and four times a second.
    known
        The last :class:`Begun` of an earlier run, by path. A file that was rotated since is looked for among its
        neighbours and read from its start, so that the caller can take what it has not had.
    batch_lines
        Most lines of a batch.

    Raises
    ------
    InvalidInputError
        If a file does not exist at the start, or is no plain file.
    """
    with ExitStack() as opened:
        tails = [_Tail(path, (known or {}).get(path), batch_lines) for path in expand(paths)]
        for tail in tails:
            opened.callback(tail.close)
        yield from _poll(tails, stopped)


def first_line_hash(path: str) -> int:
    """Return a hash of a file's first line, the same compressed or not; 0 where there is no whole line."""
    with open_input(path) as file:
        try:
            lines = LineCutter().feed(file.read1(CHUNK_BYTES))
        except (EOFError, OSError, zlib.error):  # no gzip file after all
            return 0
    return _hash(lines[0]) if lines else 0


def _hash(line: str) -> int:
    text = line[:_FINGERPRINT_CHARACTERS].encode("utf-8", "surrogateescape")
    return int.from_bytes(blake2b(text, digest_size=7).digest())


def _poll(tails: Sequence[_Tail], stopped: Callable[[], bool]) -> Iterator[Item]:
    while not stopped():
        news = False
        for tail in tails:
            for item in tail.poll():
                news = news or not isinstance(item, Quiet)
                yield item
                if stopped():
                    return
        if not news:
            time.sleep(_POLL_SECONDS)


class _Tail:
    """One followed name and the file that bears it now."""

    def __init__(self, path: str, known: Identity | None, batch_lines: int) -> None:
        if path == "-" or not Path(path).is_file():
            raise InvalidInputError(f"cannot follow {path}: only plain files can be followed")
        self._path = path
        self._batch_lines = batch_lines
        self._file: BinaryIO = Path(path).open("rb")  # noqa: SIM115 - open as long as it is followed
        if self._file.read(2) == GZIP_MAGIC:
            raise InvalidInputError(f"cannot follow {path}: it is compressed; read it without following")
        self._backlog: list[str] = []
        generation = 1
        if known is not None:
            same = _is(path, known)
            self._backlog = [] if same else _missed(path, known)
            generation = known.generation + (not same and not self._backlog)
        self._begin(generation)
        self._polled = time.monotonic()
        self._quiet = 0.0

    def _begin(self, generation: int) -> None:
        """Read the file from its start, as the so-many-th of this name."""
        self._generation = generation
        suffix = f"#{generation}" if generation > 1 else ""
        self._builder = BatchBuilder(stream_name(self._path) + suffix, self._batch_lines)
        self._cutter = LineCutter()
        self._file.seek(0)

    def close(self) -> None:
        self._file.close()

    def poll(self) -> Iterator[Item]:
        """Yield what was added since the last call; turn to the new file after a rotation or truncation."""
        while self._backlog:
            yield from self._read_rotated(self._backlog.pop(0))
        news = False
        for item in self._look():
            news = True
            yield item
        now = time.monotonic()
        self._quiet = 0.0 if news else self._quiet + now - self._polled
        self._polled = now
        if self._quiet >= _QUIET_SECONDS and self._builder.count:
            yield Quiet(self._builder.stream, self._quiet)
            self._quiet = 0.0

    def _read_rotated(self, path: str) -> Iterator[Item]:
        """Yield a file that bore the name while nobody followed it."""
        stream = self._builder.stream
        yield Begun(self._path, stream, _identity(path, self._generation))
        try:
            for batch in read_file(path, batch_lines=self._batch_lines):
                yield replace(batch, stream=stream)
        except InvalidInputError as error:
            _log.warning("%s", error)
        yield Ended(stream)
        self._begin(self._generation + 1)

    def _look(self) -> Iterator[Item]:
        yield from self._added()
        successor = self._successor()
        if successor is None:
            return
        yield from self._added()  # what was written between the read and the rename
        yield from self._items(self._cutter.finish())
        if self._builder.count:
            yield Ended(self._builder.stream)
        if successor is not self._file:
            self._file.close()
        self._file = successor
        self._begin(self._generation + 1)
        yield from self._added()

    def _added(self) -> Iterator[Item]:
        while chunk := self._file.read(CHUNK_BYTES):
            yield from self._items(self._cutter.feed(chunk))

    def _items(self, lines: list[str]) -> Iterator[Item]:
        if lines and not self._builder.count:
            inode = os.fstat(self._file.fileno()).st_ino & _POSITIVE
            yield Begun(self._path, self._builder.stream, Identity(self._generation, inode, _hash(lines[0])))
        yield from self._builder.batches(lines)

    def _successor(self) -> BinaryIO | None:
        """Return the file to read next: the new one of this name, the same one if it was cut, or None."""
        own = os.fstat(self._file.fileno())
        if own.st_size < self._file.tell():
            return self._file
        try:
            named = os.stat(self._path)  # noqa: PTH116 - twin of the fstat above
            if (named.st_dev, named.st_ino) == (own.st_dev, own.st_ino):
                return None
            return Path(self._path).open("rb")
        except OSError:
            return None  # moved away and not yet made anew


def _identity(path: str, generation: int) -> Identity:
    return Identity(generation, os.stat(path).st_ino & _POSITIVE, first_line_hash(path))  # noqa: PTH116 - as fstat


def _is(path: str, known: Identity) -> bool:
    return _identity(path, known.generation) == known


def _missed(path: str, known: Identity) -> list[str]:
    """Return the rotated files from the known one on, oldest first."""
    pattern = re.compile(re.escape(Path(path).name) + _ROTATED)
    rotated = [one for one in Path(path).absolute().parent.iterdir() if pattern.fullmatch(one.name) and one.is_file()]
    names = [str(one) for one in sorted(rotated, key=lambda one: one.stat().st_mtime)]
    # A copy, or a compressed file, has another inode but the same first line.
    found = [one for one in names if _is(one, known)] or [one for one in names if first_line_hash(one) == known.first]
    if not found:
        _log.warning("%s was replaced since the last run, and the old file is not to be found beside it", path)
        return []
    return names[names.index(found[-1]) :]
