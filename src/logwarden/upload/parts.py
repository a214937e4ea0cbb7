"""Files cut into parts that are sent in one request each."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from logwarden.errors import InvalidInputError
from logwarden.sources.base import MAX_ENCODED_LINE

PART_BYTES = 2 * 1024 * 1024
PART_LINES = 10_000
EDGE_BYTES = 4096
_SKIP_BYTES = 1024 * 1024

Input = io.BufferedReader | gzip.GzipFile


class Part(NamedTuple):
    """Whole lines of a file, with their ends.

    ``start`` and ``end`` are bytes of the unpacked file. Of a line that is too long for the endpoint the body holds
    only so much that it is rejected there.
    """

    start: int
    end: int
    lines: int
    body: bytes


class BrokenInputError(InvalidInputError):
    """A file that cannot be read to its end."""


class Edges(NamedTuple):
    """Hashes of the first and the last bytes of what was read so far: by these a file is known again."""

    head: str = ""
    tail: str = ""


class PartReader:
    """Cuts an open file into parts.

    Parameters
    ----------
    path, file
        Name for errors, and the file, open at its start.
    """

    def __init__(self, path: str, file: Input) -> None:
        self.place = 0
        """Bytes of the unpacked file that were read."""
        self._path = path
        self._file = file
        self._head = b""
        self._tail = b""
        self._error: BrokenInputError | None = None

    @property
    def edges(self) -> Edges:
        """Of what was read so far."""
        return Edges(_hash(self._head), _hash(self._tail))

    @property
    def disk_place(self) -> int:
        """Bytes of the file on disk that were read; 0 where that cannot be told."""
        try:
            file: Any = self._file.fileobj if isinstance(self._file, gzip.GzipFile) else self._file
            return int(file.tell())
        except (OSError, AttributeError):
            return 0

    def skip(self, count: int) -> bool:
        """Read over the first bytes; False if there are not so many."""
        while self.place < count and self._error is None:
            data = self._guarded(self._file.read, min(_SKIP_BYTES, count - self.place))
            if not data:
                return False
            self._note(data)
        return self._error is None

    def parts(self, end: int | None = None) -> Iterator[Part]:
        """Yield parts from here on; the first one ends at ``end``, where that is known from an earlier run.

        Raises
        ------
        BrokenInputError
            If the file cannot be read to its end: after all parts that could be read.
        """
        while (part := self._part(end)) is not None:
            yield part
            end = None
        if self._error is not None:
            raise self._error

    def _part(self, end: int | None) -> Part | None:
        start, size = self.place, 0
        lines: list[bytes] = []
        while size < PART_BYTES and len(lines) < PART_LINES and self.place != end:
            line = self._line(None if end is None else end - self.place)
            if not line:
                break
            lines.append(line)
            size += len(line)
        return Part(start, self.place, len(lines), b"".join(lines)) if lines else None

    def _line(self, most: int | None) -> bytes:
        """Read a line, and of a very long one all, but return its beginning."""
        first = self._read_line(most)
        last, left = first, None if most is None else most - len(first)
        while len(last) == MAX_ENCODED_LINE and not last.endswith(b"\n") and left != 0:
            last = self._read_line(left)
            left = None if left is None else left - len(last)
        return first if first.endswith(b"\n") or not first else first + b"\n"

    def _read_line(self, most: int | None) -> bytes:
        data = self._guarded(self._file.readline, MAX_ENCODED_LINE if most is None else min(MAX_ENCODED_LINE, most))
        self._note(data)
        return data

    def _guarded(self, read: Callable[[int], bytes], size: int) -> bytes:
        """Read, and remember the error of a file that breaks off."""
        try:
            return read(size) if self._error is None else b""
        except (EOFError, OSError, zlib.error) as error:
            self._error = BrokenInputError(
                f"{self._path}: broken after byte {self.place:,} ({error}); the lines before it were sent: get the "
                "file anew"
            )
            return b""

    def _note(self, data: bytes) -> None:
        self.place += len(data)
        if len(self._head) < EDGE_BYTES:
            self._head += data[: EDGE_BYTES - len(self._head)]
        self._tail = (self._tail + data[-EDGE_BYTES:])[-EDGE_BYTES:]


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
