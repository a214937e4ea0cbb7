"""Compressed bodies, unpacked up to a bound and never beyond."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable
from typing import Final

_MAX_WINDOW: Final = 8 * 1024 * 1024
"""Memory a zstd frame may ask for: what RFC 8878 (3.1.1.1.2) wants every decoder to support, and no more."""
_SLICE: Final = 1024
"""Bytes given to zstd at a time: four of them can stand for 128 KiB, so that these become 32 MiB at most."""
_MAX_FRAMES: Final = 10_000


class TooLargeError(Exception):
    """The unpacked body is too large."""


class DamagedError(Exception):
    """The body is not what its Content-Encoding says; the message tells why."""


def identity(body: bytes, limit: int) -> bytes:
    """Return the body as it is; as sent it is bounded already."""
    return body


def gunzip(body: bytes, limit: int) -> bytes:
    """Unpack all members of a gzip body, never more than ``limit`` bytes."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as file:
            data = file.read(limit + 1)
    except EOFError:
        raise DamagedError("not valid gzip: it breaks off before its end") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DamagedError(f"not valid gzip: {error}") from None
    return _bounded(data, limit)


def unzstd(body: bytes, limit: int) -> bytes:
    """Unpack all frames of a zstd body, little more than ``limit`` bytes at any time."""
    import zstandard

    packer = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
    parts, place, size = [], 0, 0
    try:
        for _ in range(_MAX_FRAMES):
            frame = packer.decompressobj()
            while place < len(body) and not frame.eof:
                parts.append(frame.decompress(body[place : place + _SLICE]))
                place += _SLICE
                size += len(parts[-1])
                if size > limit:
                    raise TooLargeError
            if not frame.eof:
                raise DamagedError("not valid zstd: it breaks off before its end")
            place = min(place, len(body)) - len(frame.unused_data)
            if place >= len(body):
                return b"".join(parts)
    except zstandard.ZstdError as error:
        raise DamagedError(f"not valid zstd: {error}") from None
    raise DamagedError(f"zstd of more than {_MAX_FRAMES:,} frames")


def unsnappy(body: bytes, limit: int) -> bytes:
    """Unpack a body of snappy's block format, which states its size in front."""
    import cramjam

    try:
        if cramjam.snappy.decompress_raw_len(body) > limit:
            raise TooLargeError
        return bytes(cramjam.snappy.decompress_raw(body))
    except cramjam.DecompressionError as error:
        raise DamagedError(f"not valid snappy: {error}") from None


Unpack = Callable[[bytes, int], bytes]
CODINGS: Final[dict[str, Unpack]] = {"": identity, "identity": identity, "gzip": gunzip, "zstd": unzstd}
"""By Content-Encoding. Snappy is told by the protocol that uses it."""


def _bounded(data: bytes, limit: int) -> bytes:
    if len(data) > limit:
        raise TooLargeError
    return data
