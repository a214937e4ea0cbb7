"""Cutting a stream of bytes into lines, fast and with bounded memory."""

from __future__ import annotations

from logwarden.sources.base import MAX_ENCODED_LINE, MAX_LINE_BYTES

_BOM = b"\xef\xbb\xbf"


class LineCutter:
    """Takes chunks of bytes, gives whole lines as text.

    Only line feeds end a line; a carriage return before one is part of the line end. Of a line longer than
    :data:`MAX_LINE_BYTES` the first ``MAX_LINE_BYTES + 1`` characters are given, and no more than four times that is
    ever held in memory.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._at_start = True

    def feed(self, chunk: bytes) -> list[str]:
        """Return the lines that ``chunk`` completes."""
        if self._at_start and chunk:
            chunk = self._without_bom(chunk)
        end = chunk.rfind(b"\n")
        if end < 0:
            self._rest = (self._rest + chunk[:MAX_ENCODED_LINE])[:MAX_ENCODED_LINE]
            return []
        whole = self._rest + chunk[:end]
        self._rest = chunk[end + 1 :][:MAX_ENCODED_LINE]
        return _split(whole)

    def finish(self) -> list[str]:
        """Return the last line if it lacks a line feed, and start anew."""
        rest, self._rest, self._at_start = self._rest, b"", True
        return _split(rest) if rest else []

    def _without_bom(self, chunk: bytes) -> bytes:
        self._at_start = False
        return chunk.removeprefix(_BOM)


def _split(whole: bytes) -> list[str]:
    text = whole.decode("utf-8", "surrogateescape")
    if "\r" in text:
        text = text.replace("\r\n", "\n").removesuffix("\r")
    lines = text.split("\n")
    if len(text) > MAX_LINE_BYTES and len(max(lines, key=len)) > MAX_LINE_BYTES:
        return [line[: MAX_LINE_BYTES + 1] for line in lines]
    return lines
