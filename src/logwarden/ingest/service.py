"""What happens to a request: who sends it, how large it is, what is in it, and whether that is durable."""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager
from typing import NamedTuple

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from logwarden.errors import LogwardenError
from logwarden.ingest.idempotency import MAX_KEY_LENGTH, Answers, Taken, taken
from logwarden.ingest.limits import Dialect, Limits, RefusedError
from logwarden.ingest.lines import Lines, Reader, TooManyError
from logwarden.ingest.rate import RateLimit
from logwarden.ingest.records import host_of
from logwarden.ingest.tally import Tally
from logwarden.ingest.tokens import Tokens, shown_token
from logwarden.ingest.unpack import CODINGS, DamagedError, TooLargeError, Unpack
from logwarden.sources.listening import Counts, Intake

_SLOW_SECONDS = 1
_AWAY_SECONDS = 5
ANYONE = "anonymous"


class _Opened(NamedTuple):
    """A body taken apart: its lines, the host that each good one names, and the hash of the body; where wanted."""

    lines: Lines
    hosts: list[str] | None
    digest: bytes


class Ingest:
    """Takes requests and hands their lines to an intake.

    Parameters
    ----------
    name
        Name of the listener.
    intake
        Where lines go.
    counts
        Counted up here.
    tokens
        Who may send; None lets anyone.
    limits
        See :class:`logwarden.ingest.limits.Limits`.
    by_device
        Tell the intake which host each line names, so that a device stays in one partition whoever sends for it.
    """

    def __init__(
        self,
        name: str,
        intake: Intake,
        counts: Counts,
        *,
        tokens: Tokens | None,
        limits: Limits | None = None,
        by_device: bool = False,
    ) -> None:
        self.tally = Tally()
        self.stopping = False
        self._name = name
        self._intake = intake
        self._counts = counts
        self._tokens = tokens
        self._limits = limits or Limits()
        self._by_device = by_device
        self._rate = RateLimit(self._limits.lines_per_second)
        self._answers = Answers()
        self._opening = asyncio.Semaphore(self._limits.opened)
        self._running = 0
        self._waiting_bytes = 0

    @property
    def problem(self) -> str:
        """Why requests are not taken at the moment; empty if they are."""
        return "stopping" if self.stopping else self._intake.problem

    async def answer(
        self, request: Request, dialect: Dialect, reader: Reader, unpack: Unpack | None = None
    ) -> Response:
        """Answer a request to send lines; ``unpack`` stands for the Content-Encoding where the protocol has its own."""
        self._running += 1
        try:
            response = dialect.success(await self._take(request, dialect, reader, unpack))
        except RefusedError as refusal:
            return self._refuse(dialect, refusal)
        finally:
            self._running -= 1
        self.tally.answers[response.status_code] += 1
        return response

    def refuse(self, request: Request, dialect: Dialect, refusal: RefusedError) -> Response:
        """Refuse a request that is authorized, for what its headers say."""
        try:
            self._authorize(request, dialect)
        except RefusedError as first:
            refusal = first
        return self._refuse(dialect, refusal)

    def count_refusal(self, status: int) -> None:
        """Count a request that was refused outside."""
        self._counts.refused += 1
        self.tally.answers[status] += 1

    def _refuse(self, dialect: Dialect, refusal: RefusedError) -> Response:
        self.count_refusal(refusal.status)
        response = dialect.failure(refusal)
        response.headers.update(refusal.headers)
        return response

    async def _take(self, request: Request, dialect: Dialect, reader: Reader, unpack: Unpack | None) -> Taken:
        sender = self._authorize(request, dialect)
        if self._running > self._limits.requests:
            raise _slow_down("too many requests at once")
        unpack = unpack or _unpacker(request)
        key = _key(request, sender)
        async with self._body(request) as body:
            self._check_intake()
            self._check_rate(sender)
            async with self._opening:
                opened = await asyncio.to_thread(self._open, body, unpack, reader, with_digest=key is not None)
        found = self._hand_on(opened, key, sender, request)
        del opened  # waiting may take seconds, and lines memory
        await self._wait(found)
        return found

    # ------------------------------------------------------------------ who and how much

    def _authorize(self, request: Request, dialect: Dialect) -> str:
        peer = request.client.host if request.client else ""
        if self._tokens is None:
            return peer or ANYONE
        name = self._tokens.name_of(shown_token(request.headers, dialect.schemes))
        if name is None:
            scheme = dialect.schemes[0].title()
            raise RefusedError(401, f"send the token: 'Authorization: {scheme} TOKEN'")
        return name

    def _check_rate(self, sender: str) -> None:
        wait = self._rate.wait(sender)
        if wait > 0:
            limit = f"{self._limits.lines_per_second:,} lines a second"
            raise RefusedError(429, f"{sender} sends more than {limit}", retry_after=math.ceil(wait))

    def _check_intake(self) -> None:
        if problem := self.problem:
            raise _away(problem)
        if self._intake.crowded:
            raise _slow_down("too many lines are waiting")

    @asynccontextmanager
    async def _body(self, request: Request) -> AsyncIterator[bytes]:
        """Yield the body; the bytes of all requests that are held at once are limited."""
        parts: list[bytes] = []
        try:
            await self._receive(request, parts)
            size = sum(map(len, parts))
            self.tally.body_bytes += size
            yield b"".join(parts)
        finally:
            self._waiting_bytes -= sum(map(len, parts))

    async def _receive(self, request: Request, parts: list[bytes]) -> None:
        self._check_size(int(request.headers.get("content-length") or 0))
        size = 0
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                async for part in request.stream():
                    parts.append(part)
                    size += len(part)
                    self._waiting_bytes += len(part)
                    self._check_size(size)
                    if self._waiting_bytes > self._limits.waiting_bytes:
                        raise _slow_down("too many large requests at once")
        except ClientDisconnect:
            raise RefusedError(400, "the connection was closed before the end of the body") from None
        except TimeoutError:
            seconds = self._limits.body_seconds
            raise RefusedError(408, f"the body did not arrive within {seconds:g} s: send it in parts") from None

    def _check_size(self, size: int) -> None:
        if size > self._limits.body_bytes:
            raise RefusedError(413, f"the body is larger than {self._limits.body_bytes:,} bytes: send it in parts")

    # ------------------------------------------------------------------ what is in it

    def _open(self, body: bytes, unpack: Unpack, reader: Reader, *, with_digest: bool) -> _Opened:
        """Unpack a body and take it apart; what is wrong with it becomes an answer."""
        limit = self._limits.unpacked_bytes
        try:
            lines = reader(unpack(body, limit))
        except TooLargeError:
            raise RefusedError(413, f"the unpacked body is larger than {limit:,} bytes") from None
        except TooManyError as error:
            raise RefusedError(413, f"the body has {error}: send it in parts") from None
        except DamagedError as error:
            raise RefusedError(400, f"the body is {error}") from None
        except (ValueError, RecursionError) as error:
            raise RefusedError(400, f"the body is not what its Content-Type says: {error}") from None
        if not lines.total:
            raise RefusedError(400, "the body has no lines")
        hosts = [host_of(line.decode("utf-8", "surrogateescape")) for line in lines.good] if self._by_device else None
        return _Opened(lines, hosts, hashlib.sha256(body).digest() if with_digest else b"")

    # ------------------------------------------------------------------ where it goes

    def _hand_on(self, opened: _Opened, key: tuple[str, ...] | None, sender: str, request: Request) -> Taken:
        """Append the lines, once for all requests with the same key. Nothing waits in here, so that this holds."""
        if key is not None and (known := self._answers.find(key)) is not None:
            if known.digest != opened.digest:
                raise RefusedError(
                    422, "this Idempotency-Key came with another body before: use a new key for each request"
                )
            self.tally.repeated += 1
            return known
        self._check_intake()
        lines = opened.lines
        self._rate.charge(sender, lines.total)
        try:
            found = taken(lines, opened.digest, self._append(opened, request.client.host if request.client else ""))
        except LogwardenError as error:
            raise _away(str(error)) from None
        if key is not None:
            self._answers.remember(key, found)
        self._counts.received += lines.total
        self._counts.malformed += len(lines.bad)
        self._tally(ANYONE if self._tokens is None else sender, lines)
        return found

    def _tally(self, sender: str, lines: Lines) -> None:
        self.tally.lines[sender, lines.protocol] += len(lines.good)
        self.tally.rejected[sender, lines.protocol] += len(lines.bad)

    def _append(self, opened: _Opened, peer: str) -> tuple[Future[None], ...]:
        """Append lines; return promises for the good ones and for the others, as a promise tells of its append."""
        promises, lines = [], opened.lines
        if lines.good:
            keys = None if opened.hosts is None else [host or peer for host in opened.hosts]
            # Who sends by HTTP may send a whole file, or what had to wait.
            self._intake.append(self._name, lines.good, peer, keys=keys, late=True)
            promises.append(self._intake.durable())
        for line, reason in lines.bad:
            self._intake.append(self._name, [line], peer, reason=reason)
        if lines.bad:
            promises.append(self._intake.durable())
        return tuple(promises)

    async def _wait(self, request: Taken) -> None:
        """Wait until lines are durable. Several requests with one key may wait for the same."""
        waiting = [asyncio.wrap_future(promise) for promise in request.durable]
        # Not wait_for: giving up must not cancel what others wait for.
        _, late = await asyncio.wait(waiting, timeout=self._limits.durable_seconds)
        for one in waiting:
            one.add_done_callback(lambda future: future.cancelled() or future.exception())  # or asyncio complains
        if late:
            raise _away(self._intake.problem or "the lines are not durable yet")
        if request.lost:
            raise _away(self._intake.problem or "the lines were not kept")


def _key(request: Request, sender: str) -> tuple[str, ...] | None:
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not key or len(key) > MAX_KEY_LENGTH:
        raise RefusedError(400, f"Idempotency-Key has {len(key)} characters: 1 to {MAX_KEY_LENGTH} are allowed")
    return sender, request.url.path, key


def _unpacker(request: Request) -> Unpack:
    coding = request.headers.get("content-encoding", "").strip().lower()
    if coding not in CODINGS:
        raise RefusedError(415, f"Content-Encoding {coding} is not taken: use gzip or zstd, or none")
    return CODINGS[coding]


def _slow_down(reason: str) -> RefusedError:
    return RefusedError(429, f"{reason}: try again", retry_after=_SLOW_SECONDS)


def _away(reason: str) -> RefusedError:
    return RefusedError(503, f"{reason}: try again", retry_after=_AWAY_SECONDS)
