"""The protocol of sources and what they have in common."""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from logwarden.errors import LogwardenError
from logwarden.events import Batch
from logwarden.outcome import RejectedLine

MAX_LINE_BYTES = 64 * 1024
"""Longest message that is taken whole; longer ones are cut to one character more, so that the parser rejects them."""

MAX_ENCODED_LINE = 4 * (MAX_LINE_BYTES + 1)
"""Bytes that hold ``MAX_LINE_BYTES + 1`` characters in any case: one takes at most four bytes in UTF-8."""

KEPT_OF_REJECTED = 8 * 1024
"""So much of a message that cannot be taken apart is kept with the reason, in bytes or characters."""


class Tick(NamedTuple):
    """The ingest clock at a point of the stream: lets a detector close windows and notice silence.

    ``time`` is Unix seconds and never smaller than the receive time of any earlier line.
    """

    time: float


class End(NamedTuple):
    """The lines so far are complete: windows that are still open have to be closed. More lines may follow."""

    name: str


@dataclass(slots=True)
class Malformed:
    """Messages that a listener could not take apart: they go to the store with their reason, not to a detector."""

    positions: range
    rejected: list[RejectedLine]


Item = Batch | Tick | End | Malformed


class Source(Protocol):
    """A stream that is still being written, read from any place of it: the spool, or a partition of a Kafka topic.

    Finished input needs no more than an ``Iterator[Batch]``, see :mod:`logwarden.sources.files`. In both, positions
    increase from batch to batch.
    """

    def read(self, block: int, *, timeout: float = 0.0) -> tuple[list[Item], int]:
        """Return what stands from place ``block`` on, and the place after it.

        Waits up to ``timeout`` seconds for something to come; nothing is an empty list and the same place.
        """
        ...


class Clock(Protocol):
    """What listeners read the receive time from, in Unix seconds."""

    def now(self) -> float: ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        return time.time()


def to_text(line: bytes) -> str:
    """Decode one line; bytes that are not UTF-8 become surrogate escapes.

    A line over :data:`MAX_LINE_BYTES` comes back as the first ``MAX_LINE_BYTES + 1`` characters.
    """
    if len(line) > MAX_LINE_BYTES:
        return line[:MAX_ENCODED_LINE].decode("utf-8", "surrogateescape")[: MAX_LINE_BYTES + 1]
    return line.decode("utf-8", "surrogateescape")


def keep_promises(promises: Iterable[Future[None]], error: LogwardenError | None) -> None:
    """Tell everybody who waits that their lines are safe, or why they are not."""
    for promise in promises:
        if not promise.set_running_or_notify_cancel():
            continue
        if error is None:
            promise.set_result(None)
        else:
            promise.set_exception(error)
