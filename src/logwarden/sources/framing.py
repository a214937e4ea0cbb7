"""Cutting a TCP connection into syslog messages (RFC 6587).

Each message may be framed either way, so that senders need no configuration:

- octet counting: ``LENGTH SPACE MESSAGE``. Taken as such when ``<`` follows the space, or when the message before was
  counted;
- non-transparent framing: the message ends with a line feed; carriage return and NUL before it belong to the end.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from logwarden.sources.base import MAX_LINE_BYTES

MAX_COUNTED_BYTES = 16 * 1024 * 1024
"""A longer announced length is taken for garbage, not waited for."""

_COUNT = re.compile(rb"([1-9]\d{0,9}) (?=(.?))", re.DOTALL)
_UNFINISHED_COUNT = re.compile(rb"[1-9]\d{0,9} ?\Z")
_LINE_END = b"\r\0"
_KEPT_OF_LONG = 8 * 1024


class Frame(NamedTuple):
    """One message, or what came instead of one: then ``reason`` says what is wrong with it."""

    data: bytes
    reason: str = ""


class Framer:
    """Takes the bytes of one connection as they come, gives messages. Never raises; memory is bounded."""

    def __init__(self) -> None:
        self._buffer = b""
        self._searched = 0  # the buffer holds no line feed before this place
        self._counted = False  # the message before was counted
        self._skip = 0  # bytes of a too long counted message that are still to come
        self._skip_line = 0  # bytes so far of a too long line that is still going on
        self._kept = b""

    @property
    def unfinished(self) -> bool:
        """True while part of a message has arrived."""
        return bool(self._buffer or self._skip or self._skip_line)

    def feed(self, data: bytes) -> list[Frame]:
        """Return the messages that ``data`` completes; empty ones are left out."""
        frames: list[Frame] = []
        self._buffer += data
        while self._buffer and self._take(frames):
            pass
        return frames

    def finish(self) -> list[Frame]:
        """Return what is left when the connection has ended: a last line without a line feed is a message."""
        rest, self._buffer = self._buffer, b""
        if self._skip:
            return [Frame(self._kept, f"connection closed {self._skip} bytes before the end of a message")]
        if self._skip_line:
            return [Frame(self._kept, _too_long(self._skip_line + len(rest)))]
        count = self._count(rest)
        if count is not None:
            length, start = count
            return [Frame(rest[:_KEPT_OF_LONG], f"connection closed after {len(rest) - start} of {length} bytes")]
        text = rest.rstrip(_LINE_END)
        return [Frame(text)] if text else []

    def _take(self, frames: list[Frame]) -> bool:
        """Take one step; False when more bytes are needed."""
        if self._skip:
            return self._skip_counted(frames)
        if self._skip_line:
            return self._skip_to_line_end(frames)
        if not self._searched:
            count = self._count(self._buffer)
            if count is not None:
                return self._take_counted(*count, frames)
            if len(self._buffer) < 12 and _UNFINISHED_COUNT.match(self._buffer):
                return False
        return self._take_line(frames)

    def _count(self, data: bytes) -> tuple[int, int] | None:
        """Return length and start of the counted message at the beginning of ``data``, or None."""
        match = _COUNT.match(data)
        if match is None or not (match[2] == b"<" or (self._counted and match[2])):
            return None
        length = int(match[1])
        return (length, match.end()) if length <= MAX_COUNTED_BYTES else None

    def _take_counted(self, length: int, start: int, frames: list[Frame]) -> bool:
        end = start + length
        if length > MAX_LINE_BYTES:
            self._kept = self._buffer[start : start + _KEPT_OF_LONG]
            self._skip = end - len(self._buffer)
            if self._skip <= 0:
                self._skip = 0
                frames.append(Frame(self._kept, _too_long(length)))
            self._buffer = self._buffer[end:]
            self._counted = True
            return True
        if len(self._buffer) < end:
            return False
        self._emit(self._buffer[start:end].rstrip(b"\n" + _LINE_END), frames)
        self._buffer = self._buffer[end:]
        self._counted = True
        return True

    def _skip_counted(self, frames: list[Frame]) -> bool:
        if len(self._buffer) < self._skip:
            self._kept += self._buffer[: _KEPT_OF_LONG - len(self._kept)]
            self._skip -= len(self._buffer)
            self._buffer = b""
            return False
        self._buffer, self._skip = self._buffer[self._skip :], 0
        frames.append(Frame(self._kept, f"message longer than {MAX_LINE_BYTES} bytes"))
        return True

    def _take_line(self, frames: list[Frame]) -> bool:
        end = self._buffer.find(b"\n", self._searched)
        if end < 0:
            if len(self._buffer) > MAX_LINE_BYTES:
                self._kept = self._buffer[:_KEPT_OF_LONG]
                self._skip_line, self._buffer, self._searched = len(self._buffer), b"", 0
            else:
                self._searched = len(self._buffer)
            return False
        line = self._buffer[:end].rstrip(_LINE_END)
        if len(line) > MAX_LINE_BYTES:
            frames.append(Frame(line[:_KEPT_OF_LONG], _too_long(len(line))))
        else:
            self._emit(line, frames)
        self._counted = self._counted and not line
        self._buffer, self._searched = self._buffer[end + 1 :], 0
        return True

    def _skip_to_line_end(self, frames: list[Frame]) -> bool:
        end = self._buffer.find(b"\n")
        if end < 0:
            self._skip_line += len(self._buffer)
            self._buffer = b""
            return False
        frames.append(Frame(self._kept, _too_long(self._skip_line + end)))
        self._buffer, self._skip_line = self._buffer[end + 1 :], 0
        return True

    @staticmethod
    def _emit(data: bytes, frames: list[Frame]) -> None:
        if data:
            frames.append(Frame(data))


def _too_long(length: int) -> str:
    return f"message of {length} bytes is longer than {MAX_LINE_BYTES}"
