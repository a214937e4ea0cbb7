"""Cutting a TCP connection into syslog messages (RFC 6587).

Each message may be framed either way, so that senders need no configuration:

- octet counting: ``LENGTH SPACE MESSAGE``. Taken as such when ``<`` follows the space, or when the message before was
  counted;
- non-transparent framing: the message ends with a line feed; carriage return and NUL before it belong to the end.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from logwarden.sources.base import KEPT_OF_REJECTED, MAX_LINE_BYTES

MAX_COUNTED_BYTES = 16 * 1024 * 1024
"""A longer announced length is taken for garbage, not waited for."""

_COUNT = re.compile(rb"([1-9]\d{0,9}) (?=(.?))", re.DOTALL)
_UNFINISHED_COUNT = re.compile(rb"[1-9]\d{0,9} ?\Z")
_LINE_END = b"\r\0"


class Frame(NamedTuple):
    """One message, or what came instead of one: then ``reason`` says what is wrong with it."""

    data: bytes
    reason: str = ""


class Framer:
    """Takes the bytes of one connection as they come, gives messages. Never raises; memory is bounded."""

    def __init__(self) -> None:
        self._buffer = b""
        self._at = 0  # what is before this place in the buffer has been taken
        self._searched = 0  # no line feed between _at and here
        self._counted = False  # the message before was counted
        self._skip = 0  # bytes of a too long counted message that are still to come
        self._length = 0  # announced length of that message
        self._skipped_line = 0  # bytes so far of a too long line that is still going on
        self._kept = b""  # beginning of what is being skipped

    @property
    def unfinished(self) -> bool:
        """True while part of a message has arrived."""
        return bool(self._buffer or self._skip or self._skipped_line)

    def feed(self, data: bytes) -> list[Frame]:
        """Return the messages that ``data`` completes; empty ones are left out."""
        frames: list[Frame] = []
        self._buffer += data
        while self._at < len(self._buffer) and self._take(frames):
            pass
        self._buffer = self._buffer[self._at :]
        self._searched -= self._at
        self._at = 0
        return frames

    def finish(self) -> list[Frame]:
        """Return what is left when the connection has ended: a last line without a line feed is a message."""
        rest, self._buffer = self._buffer, b""
        if self._skip:
            return [Frame(self._kept, f"connection closed {self._skip} bytes before the end of a message")]
        if self._skipped_line:
            return [Frame(self._kept, _too_long(self._skipped_line + len(rest)))]
        count = self._count(rest, 0)
        if count is not None:
            length, start = count
            return [Frame(rest[:KEPT_OF_REJECTED], f"connection closed after {len(rest) - start} of {length} bytes")]
        text = rest.rstrip(_LINE_END)
        return [Frame(text)] if text else []

    def _take(self, frames: list[Frame]) -> bool:
        """Take one step; False when more bytes are needed."""
        if self._skip:
            return self._skip_counted(frames)
        if self._skipped_line:
            return self._skip_line(frames)
        if self._searched <= self._at:
            count = self._count(self._buffer, self._at)
            if count is not None:
                return self._take_counted(*count, frames)
            if _UNFINISHED_COUNT.match(self._buffer, self._at):
                return False
        return self._take_line(frames)

    def _count(self, data: bytes, at: int) -> tuple[int, int] | None:
        """Return length and start of the counted message that begins at ``at``, or None."""
        match = _COUNT.match(data, at)
        if match is None or not (match[2] == b"<" or (self._counted and match[2])):
            return None
        length = int(match[1])
        return (length, match.end()) if length <= MAX_COUNTED_BYTES else None

    def _take_counted(self, length: int, start: int, frames: list[Frame]) -> bool:
        end = start + length
        missing = end - len(self._buffer)
        if length > MAX_LINE_BYTES:
            self._kept = self._buffer[start : min(end, start + KEPT_OF_REJECTED)]
            self._skip, self._length = max(missing, 0), length
            if missing <= 0:
                frames.append(Frame(self._kept, _too_long(length)))
        elif missing > 0:
            return False
        else:
            _emit(self._buffer[start:end].rstrip(b"\n" + _LINE_END), frames)
        self._at = min(end, len(self._buffer))
        self._counted = True
        return True

    def _skip_counted(self, frames: list[Frame]) -> bool:
        taken = min(self._skip, len(self._buffer) - self._at)
        self._kept += self._buffer[self._at : self._at + min(taken, KEPT_OF_REJECTED - len(self._kept))]
        self._skip -= taken
        self._at += taken
        if not self._skip:
            frames.append(Frame(self._kept, _too_long(self._length)))
        return True

    def _take_line(self, frames: list[Frame]) -> bool:
        end = self._buffer.find(b"\n", max(self._at, self._searched))
        if end < 0:
            self._searched = len(self._buffer)
            if len(self._buffer) - self._at > MAX_LINE_BYTES + len(_LINE_END):
                self._kept = self._buffer[self._at : self._at + KEPT_OF_REJECTED]
                self._skipped_line = len(self._buffer) - self._at
                self._at = len(self._buffer)
            return False
        line = self._buffer[self._at : end].rstrip(_LINE_END)
        if len(line) > MAX_LINE_BYTES:
            frames.append(Frame(line[:KEPT_OF_REJECTED], _too_long(len(line))))
        else:
            _emit(line, frames)
        self._counted = self._counted and not line
        self._at = end + 1
        return True

    def _skip_line(self, frames: list[Frame]) -> bool:
        end = self._buffer.find(b"\n", self._at)
        stop = len(self._buffer) if end < 0 else end
        self._skipped_line += stop - self._at
        self._at = stop
        if end >= 0:
            frames.append(Frame(self._kept, _too_long(self._skipped_line)))
            self._at, self._skipped_line = end + 1, 0
        return True


def _emit(data: bytes, frames: list[Frame]) -> None:
    if data:
        frames.append(Frame(data))


def _too_long(length: int) -> str:
    return f"message of {length} bytes is longer than {MAX_LINE_BYTES}"
