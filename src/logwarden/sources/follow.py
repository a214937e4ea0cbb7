"""Following files while they grow, across rotation and truncation."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from logwarden.errors import InvalidInputError
from logwarden.events import Batch
from logwarden.sources.files import BATCH_LINES, BatchBuilder, expand, stream_name
from logwarden.sources.lines import LineCutter

_CHUNK = 512 * 1024
_POLL_SECONDS = 0.25
_HEARTBEAT_SECONDS = 1.0


def follow_files(
    paths: Iterable[str | Path], *, stopped: Callable[[], bool], batch_lines: int = BATCH_LINES
) -> Iterator[Batch]:
    """Yield the lines of files from their start, then those that are added, until ``stopped()`` is true.

    A rotated file is read to its end before its successor is begun. The lines of the second file that bears a name
    belong to the stream ``file:PATH#2``, counted from 1 again, and so on. A last line without a line feed is held
    until it is complete, until the file is replaced or until the end. While nothing arrives an empty batch comes
    about once a second, so that the caller can look at the clock.

    Raises
    ------
    InvalidInputError
        If a file does not exist at the start, or is no plain file.
    """
    with ExitStack() as opened:
        tails = [_Tail(path, batch_lines) for path in expand(paths)]
        for tail in tails:
            opened.callback(tail.close)
        yield from _poll(tails, stopped)
        for tail in tails:
            yield from tail.poll()
            yield from tail.finish()


def _poll(tails: Sequence[_Tail], stopped: Callable[[], bool]) -> Iterator[Batch]:
    heard = time.monotonic()
    while not stopped():
        quiet = True
        for tail in tails:
            for batch in tail.poll():
                quiet = False
                yield batch
        now = time.monotonic()
        if not quiet:
            heard = now
        elif now - heard >= _HEARTBEAT_SECONDS and tails:
            heard = now
            yield tails[0].empty()
        if quiet:
            time.sleep(_POLL_SECONDS)


class _Tail:
    """One followed name and the file that bears it now."""

    def __init__(self, path: str, batch_lines: int) -> None:
        if path == "-" or not Path(path).is_file():
            raise InvalidInputError(f"cannot follow {path}: only plain files can be followed")
        self._path = path
        self._batch_lines = batch_lines
        self._generation = 0
        self._file: BinaryIO = Path(path).open("rb")  # noqa: SIM115 - open as long as it is followed
        if self._file.read(2) == b"\x1f\x8b":
            raise InvalidInputError(f"cannot follow {path}: it is compressed; read it without following")
        self._begin()

    def _begin(self) -> None:
        self._generation += 1
        suffix = f"#{self._generation}" if self._generation > 1 else ""
        self._builder = BatchBuilder(stream_name(self._path) + suffix, self._batch_lines)
        self._cutter = LineCutter()
        self._file.seek(0)

    def poll(self) -> Iterator[Batch]:
        """Yield what was added since the last call; turn to the new file after a rotation or truncation."""
        yield from self._added()
        successor = self._successor()
        if successor is not None:
            yield from self._added()  # what was written between the read and the rename
            yield from self.finish()
            if successor is not self._file:
                self._file.close()
            self._file = successor
            self._begin()
            yield from self._added()

    def close(self) -> None:
        self._file.close()

    def empty(self) -> Batch:
        return Batch(self._builder.stream, (), ())

    def finish(self) -> Iterator[Batch]:
        """Yield the last line, which has no line feed."""
        yield from self._builder.batches(self._cutter.finish())

    def _added(self) -> Iterator[Batch]:
        while chunk := self._file.read(_CHUNK):
            yield from self._builder.batches(self._cutter.feed(chunk))

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
