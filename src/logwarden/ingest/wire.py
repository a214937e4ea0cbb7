"""Protocol Buffers by their wire format: the fields of a message one after the other, without building it whole.

A message of two bytes takes hundreds once it is an object; walking over the bytes lets the number of records be bounded
before, and a bad record be told from its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator

from logwarden.ingest.lines import TooManyError

MAX_FIELDS = 1_000_000
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MOST_VARINT_BYTES = 10


class Walk:
    """Walks over the messages of one request, whose fields are bounded all together."""

    def __init__(self) -> None:
        self._left = MAX_FIELDS

    def fields(self, data: bytes) -> Iterator[tuple[int, bytes | int]]:
        """Yield (field number, value): bytes for what has a length, an unsigned integer for all else.

        Raises
        ------
        ValueError
            If the bytes are no message.
        TooManyError
            If the request has too many fields.
        """
        for number, value in _fields(data):
            self._left -= 1
            if self._left < 0:
                raise TooManyError(f"more than {MAX_FIELDS:,} fields")
            yield number, value

    def submessages(self, data: bytes, wanted: int) -> Iterator[bytes]:
        """Yield the bytes of each field with the number ``wanted``."""
        for number, value in self.fields(data):
            if number == wanted and isinstance(value, bytes):
                yield value


def _fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    place, end = 0, len(data)
    while place < end:
        key, place = _varint(data, place)
        number, kind = key >> 3, key & 7
        if number == 0:
            raise ValueError("not a protobuf message: field number 0")
        if kind == _VARINT:
            value, place = _varint(data, place)
            yield number, value
            continue
        if kind == _BYTES:
            size, place = _varint(data, place)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"not a protobuf message: wire type {kind}")
        if size > end - place:
            raise ValueError("not a protobuf message: it breaks off before its end")
        piece = data[place : place + size]
        place += size
        yield number, piece if kind == _BYTES else int.from_bytes(piece, "little")


def varint(value: int) -> bytes:
    """Return a number as Protocol Buffers write it."""
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def _varint(data: bytes, place: int) -> tuple[int, int]:
    if place < len(data) and data[place] < 0x80:  # most are one byte
        return data[place], place + 1
    value = shift = 0
    for at in range(place, min(place + _MOST_VARINT_BYTES, len(data))):
        byte = data[at]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at + 1
        shift += 7
    raise ValueError("not a protobuf message: a number breaks off or is too long")
