"""Requests that are sent again because their answer was lost: taken once, answered the same."""

from __future__ import annotations

from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass

from logwarden.ingest.lines import Lines

MAX_KEYS = 10_000
MAX_KEY_LENGTH = 255


@dataclass(frozen=True, slots=True)
class Taken:
    """A request that was handed on: what it held, and promises that it is durable."""

    digest: bytes
    protocol: str
    accepted: int
    rejected: int
    first_reason: str
    durable: tuple[Future[None], ...]

    @property
    def lost(self) -> bool:
        """Whether it is known not to have become durable, so that it has to be taken again."""
        return any(part.done() and (part.cancelled() or part.exception()) for part in self.durable)


def taken(lines: Lines, digest: bytes, durable: tuple[Future[None], ...]) -> Taken:
    """Return what is remembered of a request."""
    return Taken(digest, lines.protocol, len(lines.good), len(lines.bad), lines.bad[0][1] if lines.bad else "", durable)


class Answers:
    """The newest requests by sender and key; the oldest are forgotten."""

    def __init__(self, most: int = MAX_KEYS) -> None:
        self._most = most
        self._taken: OrderedDict[tuple[str, ...], Taken] = OrderedDict()

    def find(self, key: tuple[str, ...]) -> Taken | None:
        """Return the request with this key, if it was taken and is not known to be lost."""
        found = self._taken.get(key)
        if found is not None and found.lost:
            del self._taken[key]
            return None
        return found

    def remember(self, key: tuple[str, ...], request: Taken) -> None:
        """Remember a request that was handed on."""
        self._taken[key] = request
        self._taken.move_to_end(key)
        while len(self._taken) > self._most:
            self._taken.popitem(last=False)
