"""Lines of a request: plain text, NDJSON and JSON arrays taken apart, with bounds on how many and how long."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import orjson

from logwarden.sources.base import KEPT_OF_REJECTED, MAX_LINE_BYTES

MAX_LINES = 100_000
MAX_JSON_VALUES = 4_000_000
MAX_ENCODED_RECORD = 6 * MAX_LINE_BYTES
"""Escapes take at most six bytes for one; what is longer cannot be a line and is not taken apart."""


class Lines(NamedTuple):
    """Lines of a request: good ones, and bad ones with the reason; ``protocol`` is what the body turned out to be."""

    good: list[bytes]
    bad: list[tuple[bytes, str]]
    protocol: str = "lines"

    @property
    def total(self) -> int:
        """All of them."""
        return len(self.good) + len(self.bad)


Reader = Callable[[bytes], Lines]
"""Takes an unpacked body apart. Raises ValueError for what it cannot read, TooManyError for what is over a bound."""


class TooManyError(Exception):
    """The body holds too many of something, which the message names."""


def read_text(body: bytes) -> Lines:
    """Split plain text into lines; empty ones are left out."""
    check_count(body.count(b"\n"))
    lines = [line.removesuffix(b"\r") for line in body.split(b"\n")]
    return sort_by_length(line for line in lines if line)


def read_ndjson(body: bytes) -> Lines:
    """Take one JSON value from each line: a string is a raw line, an object is handed on as JSON."""
    check_count(body.count(b"\n"))
    good: list[bytes] = []
    bad: list[tuple[bytes, str]] = []
    for line in body.split(b"\n"):
        if not line.strip():
            continue
        if len(line) > MAX_ENCODED_RECORD:
            bad.append((line[:KEPT_OF_REJECTED], too_long(len(line))))
            continue
        try:
            good.append(as_line(orjson.loads(line)))
        except ValueError as error:
            bad.append((line, f"not a JSON string or object: {error}"))
    lines = sort_by_length(good)
    return Lines(lines.good, lines.bad + bad)


def read_json(value: Any) -> Lines:
    """Take the lines from a JSON array of strings and objects, or from one object.

    Raises
    ------
    ValueError
        If the value is something else.
    """
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        raise ValueError(f"found {type(value).__name__}, expected an array of strings or objects")
    check_count(len(value))
    return sort_by_length(as_line(item) for item in value)


def load_json(body: bytes) -> Any:
    """Parse a JSON body whose number of values is bounded, as each takes many times its bytes in memory."""
    if sum(map(body.count, (b",", b"[", b"{"))) > MAX_JSON_VALUES:
        raise TooManyError(f"more than {MAX_JSON_VALUES:,} values")
    return orjson.loads(body)


def as_line(value: Any) -> bytes:
    """Return a string as it is, and an object as JSON; raises ValueError for anything else."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if isinstance(value, dict):
        try:
            return orjson.dumps(value)
        except TypeError as error:  # nested deeper than can be written
            raise ValueError(str(error)) from None
    raise ValueError(f"found {type(value).__name__}, expected a string or an object")


def sort_by_length(lines: Iterable[bytes]) -> Lines:
    """Tell lines that are too long from the others."""
    good: list[bytes] = []
    bad: list[tuple[bytes, str]] = []
    for line in lines:
        if len(line) <= MAX_LINE_BYTES:
            good.append(line)
        else:
            bad.append((line[:KEPT_OF_REJECTED], too_long(len(line))))
    return Lines(good, bad)


def check_count(lines: int) -> None:
    """Refuse a body with too many lines."""
    if lines > MAX_LINES:
        raise TooManyError(f"more than {MAX_LINES:,} lines")


def too_long(size: int) -> str:
    """Return why a line of so many bytes is rejected."""
    return f"line of {size} bytes is longer than {MAX_LINE_BYTES}"
