"""The bytes of a spool segment.

A segment file is a row of blocks, each a fixed header and a payload. The first block is the segment's preamble: JSON
with the number of lines that each listener had brought before this segment. Numbers have the byte order of the
machine: a spool stays where it was written.

Header (:data:`HEADER`): magic, CRC-32 of all that follows the CRC, payload length, kind, number of lines, position of
the first line, number of the block. Payload of lines and of malformed messages: listener, reason, receive times, peer
table, peer of each line (only with more than one peer), length of each line, the lines themselves. Lines of a replay
have the shift of their times in front.
"""

from __future__ import annotations

import struct
import zlib
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import accumulate, pairwise
from typing import BinaryIO, NamedTuple

from logwarden.events import Batch
from logwarden.outcome import RejectedLine
from logwarden.sources.base import KEPT_OF_REJECTED, End, Item, Malformed, Tick, to_text

HEADER = struct.Struct("=4sIIBIQQ")
MAGIC = b"LWS1"
MAX_BLOCK_LINES = 4096
MAX_PAYLOAD = 64 * 1024 * 1024
_CRC_FROM = 8
_TIME = struct.Struct("=d")
_COUNT = struct.Struct("=H")


class Kind(IntEnum):
    """What a block holds."""

    PREAMBLE = 0
    LINES = 1
    MALFORMED = 2
    TICK = 3
    END = 4
    LATE_LINES = 5
    REPLAYED_LINES = 6


@dataclass(slots=True)
class Draft:
    """A block that is being filled."""

    kind: Kind
    listener: str = ""
    reason: str = ""
    shift: float = 0.0
    received: list[float] = field(default_factory=list)
    peers: list[str] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    size: int = 0
    """Bytes that the lines take in memory, about; never less than they take in the block."""


class Header(NamedTuple):
    """Header of a block as read."""

    crc: int
    length: int
    kind: Kind
    lines: int
    position: int
    number: int

    @property
    def takes_number(self) -> bool:
        """A preamble stands outside the numbering of blocks."""
        return self.kind is not Kind.PREAMBLE


def encode(draft: Draft, position: int, number: int) -> bytes:
    """Return the bytes of a block whose first line stands at ``position``."""
    if draft.kind is Kind.REPLAYED_LINES:
        payload = _TIME.pack(draft.shift) + _encode_lines(draft)
    elif draft.kind in (Kind.LINES, Kind.LATE_LINES, Kind.MALFORMED):
        payload = _encode_lines(draft)
    elif draft.kind is Kind.TICK:
        payload = _TIME.pack(draft.received[0])
    else:
        payload = draft.listener.encode()
    return seal(draft.kind, len(draft.lines), position, number, payload)


def seal(kind: Kind, count: int, position: int, number: int, payload: bytes) -> bytes:
    """Put the header in front of a payload.

    Raises
    ------
    ValueError
        If the payload is larger than :data:`MAX_PAYLOAD`: no reader would take it.
    """
    if len(payload) > MAX_PAYLOAD:
        raise ValueError(f"a block of {len(payload):,} bytes is larger than {MAX_PAYLOAD:,}")
    head = HEADER.pack(MAGIC, 0, len(payload), kind, count, position, number)
    crc = zlib.crc32(payload, zlib.crc32(head[_CRC_FROM:]))
    return HEADER.pack(MAGIC, crc, len(payload), kind, count, position, number) + payload


def read_header(file: BinaryIO) -> Header | None:
    """Read the header at the file's place; None where there is none, or none that is whole."""
    head = file.read(HEADER.size)
    if len(head) < HEADER.size:
        return None
    magic, crc, length, kind, count, position, number = HEADER.unpack(head)
    if magic != MAGIC or kind > max(Kind) or length > MAX_PAYLOAD:
        return None
    return Header(crc, length, Kind(kind), count, position, number)


def read_payload(file: BinaryIO, header: Header) -> bytes | None:
    """Read the payload that follows ``header``; None if it is torn or damaged."""
    payload = file.read(header.length)
    magic_to_crc = HEADER.pack(MAGIC, 0, *header[1:])
    if len(payload) < header.length or zlib.crc32(payload, zlib.crc32(magic_to_crc[_CRC_FROM:])) != header.crc:
        return None
    return payload


def blocks(file: BinaryIO) -> Iterator[tuple[int, Header, bytes]]:
    """Yield (end of the block in the file, header, payload) of the whole blocks from the file's place on."""
    while (header := read_header(file)) is not None:
        payload = read_payload(file, header)
        if payload is None:
            return
        yield file.tell(), header, payload


def decode(header: Header, payload: bytes, stream: str) -> Item:
    """Return what a block holds."""
    if header.kind is Kind.TICK:
        return Tick(_TIME.unpack(payload)[0])
    if header.kind is Kind.END:
        return End(payload.decode())
    listener, reason, received, peers, lines = _decode_lines(payload, header)
    positions = range(header.position, header.position + header.lines)
    if header.kind is not Kind.MALFORMED:
        late = header.kind is Kind.LATE_LINES
        return Batch(stream, positions, lines, received, peers, listener, late, _shift(payload, header))
    rows = zip(positions, received, peers, lines, strict=True)
    return Malformed(
        positions,
        [
            RejectedLine(stream, at, time, peer or None, reason, text[:KEPT_OF_REJECTED], "read")
            for at, time, peer, text in rows
        ],
    )


def listener_of(header: Header, payload: bytes) -> str:
    """Return the listener that brought the lines of a block, or the name of an end mark."""
    return payload.decode() if header.kind is Kind.END else _take_word(payload, _begin(header))[0]


def last_time(header: Header, payload: bytes) -> float | None:
    """Return the last time a block states, or None."""
    if header.kind is Kind.TICK:
        return float(_TIME.unpack(payload)[0])
    if header.kind is Kind.END or not header.lines:
        return None
    return _decode_lines(payload, header)[2][-1]


def _encode_lines(draft: Draft) -> bytes:
    table = list(dict.fromkeys(draft.peers))
    index = {peer: place for place, peer in enumerate(table)}
    parts = [_word(draft.listener), _word(draft.reason), array("d", draft.received).tobytes(), _COUNT.pack(len(table))]
    parts += [_word(peer) for peer in table]
    if len(table) > 1:
        parts.append(array("H", [index[peer] for peer in draft.peers]).tobytes())
    parts.append(array("I", map(len, draft.lines)).tobytes())
    return b"".join(parts + draft.lines)


def _begin(header: Header) -> int:
    """Return where the listener's name stands in a payload."""
    return _TIME.size if header.kind is Kind.REPLAYED_LINES else 0


def _shift(payload: bytes, header: Header) -> float:
    return float(_TIME.unpack_from(payload)[0]) if header.kind is Kind.REPLAYED_LINES else 0.0


def _decode_lines(payload: bytes, header: Header) -> tuple[str, str, Sequence[float], list[str], list[str]]:
    count = header.lines
    listener, at = _take_word(payload, _begin(header))
    reason, at = _take_word(payload, at)
    received = array("d", payload[at : at + 8 * count])
    at += 8 * count
    (size,) = _COUNT.unpack_from(payload, at)
    at += _COUNT.size
    table = []
    for _ in range(size):
        peer, at = _take_word(payload, at)
        table.append(peer)
    if size > 1:
        peers = [table[place] for place in array("H", payload[at : at + 2 * count])]
        at += 2 * count
    else:
        peers = table * count
    ends = list(accumulate(array("I", payload[at : at + 4 * count]), initial=at + 4 * count))
    lines = [to_text(payload[start:end]) for start, end in pairwise(ends)]
    return listener, reason, received, peers, lines


def _word(text: str) -> bytes:
    data = text.encode("utf-8", "surrogateescape")
    return _COUNT.pack(len(data)) + data


def _take_word(payload: bytes, at: int) -> tuple[str, int]:
    (length,) = _COUNT.unpack_from(payload, at)
    end = at + _COUNT.size + length
    return payload[at + _COUNT.size : end].decode("utf-8", "surrogateescape"), end
