"""Bounds of an endpoint, and how it says that one was passed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.responses import Response

from logwarden.ingest.idempotency import Taken


@dataclass(frozen=True)
class Limits:
    """Bounds of an endpoint.

    Attributes
    ----------
    body_bytes, unpacked_bytes
        Largest request, as sent and after unpacking.
    requests
        Requests that are answered at the same time.
    waiting_bytes
        Bytes of all requests that are held before they are unpacked.
    opened
        Requests that are unpacked and taken apart at the same time, which takes many times their bytes.
    body_seconds
        Longest time in which a request has to arrive.
    durable_seconds
        Longest time that a sender waits for its lines to be durable.
    lines_per_second
        Most lines a second from one sender; None is any number.
    """

    body_bytes: int = 16 * 1024 * 1024
    unpacked_bytes: int = 64 * 1024 * 1024
    requests: int = 64
    waiting_bytes: int = 128 * 1024 * 1024
    opened: int = 2
    body_seconds: float = 60.0
    durable_seconds: float = 10.0
    lines_per_second: int | None = None


class RefusedError(Exception):
    """A request that is not taken: status, what was found and what to do, and when to come again."""

    def __init__(self, status: int, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers: dict[str, str] = {}
        if retry_after is not None:
            self.headers["Retry-After"] = str(retry_after)
        if status == 401:
            self.headers["WWW-Authenticate"] = "Bearer"


@dataclass(frozen=True)
class Dialect:
    """How a protocol answers, and the schemes besides Basic in which it shows its token."""

    success: Callable[[Taken], Response]
    failure: Callable[[RefusedError], Response]
    schemes: tuple[str, ...] = ("bearer",)
