"""Lines over HTTP: ``POST /v1/logs`` and ``GET /healthz``.

The body is plain text (a line each), NDJSON or a JSON array, optionally gzip. ``200`` means that the lines are on
disk. Errors are JSON: ``{"error": "what was found and what to do"}``.
"""

from __future__ import annotations

import asyncio
import gzip
import hmac
import io
import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from logwarden.errors import LogwardenError
from logwarden.sources.base import KEPT_OF_REJECTED, MAX_LINE_BYTES
from logwarden.sources.listening import Counts, Intake
from logwarden.sources.tls import counting_failures

PATH = "/v1/logs"
MAX_BODY_BYTES = 16 * 1024 * 1024
MAX_UNPACKED_BYTES = 64 * 1024 * 1024
MAX_LINES = 100_000
_MAX_JSON_VALUES = 4_000_000
# Escapes take at most six bytes for one; what is longer cannot be a line and is not taken apart.
_MAX_JSON_LINE = 6 * MAX_LINE_BYTES
# Requests that are unpacked and taken apart at the same time, which takes many times their bytes.
_MAX_OPENED = 2
_MAX_WAITING_BYTES = 8 * MAX_BODY_BYTES
_DURABLE_SECONDS = 10.0
_MAX_REQUESTS = 64
_STOP_SECONDS = 5


class Lines(NamedTuple):
    """Lines of a request: good ones, and bad ones with the reason."""

    good: list[bytes]
    bad: list[tuple[bytes, str]]


def read_text(body: bytes) -> Lines:
    """Split plain text into lines; empty ones are left out."""
    _check_count(body.count(b"\n"))
    lines = [line.removesuffix(b"\r") for line in body.split(b"\n")]
    return _check_length(line for line in lines if line)


def read_ndjson(body: bytes) -> Lines:
    """Take one JSON value from each line: a string is a raw line, an object is handed on as JSON."""
    _check_count(body.count(b"\n"))
    good: list[bytes] = []
    bad: list[tuple[bytes, str]] = []
    for line in body.split(b"\n"):
        if not line.strip():
            continue
        if len(line) > _MAX_JSON_LINE:
            bad.append((line, _too_long(line)))
            continue
        try:
            good.append(_as_line(orjson.loads(line)))
        except ValueError as error:
            bad.append((line, f"not a JSON string or object: {error}"))
    lines = _check_length(good)
    return Lines(lines.good, lines.bad + bad)


def read_json(body: bytes) -> Lines:
    """Take the lines from a JSON array of strings and objects, or from one object.

    Raises
    ------
    ValueError
        If the body is something else.
    """
    if sum(map(body.count, (b",", b"[", b"{"))) > _MAX_JSON_VALUES:
        raise _TooManyError(f"more than {_MAX_JSON_VALUES:,} values")
    value = orjson.loads(body)
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        raise ValueError(f"found {type(value).__name__}, expected an array of strings or objects")
    _check_count(len(value))
    return _check_length(_as_line(item) for item in value)


_READERS: dict[str, Callable[[bytes], Lines]] = {
    "text/plain": read_text,
    "application/x-ndjson": read_ndjson,
    "application/ndjson": read_ndjson,
    "application/jsonl": read_ndjson,
    "application/json": read_json,
    # What curl --data-binary and clients without a type send.
    "application/x-www-form-urlencoded": read_text,
    "": read_text,
}


class HttpListener:
    """Serves the endpoint on a bound socket.

    Parameters
    ----------
    name, sock, intake
        Name of the listener, its bound socket, and where lines go.
    token
        Bearer token that senders must show, or None when anyone may send.
    tls
        Makes it HTTPS.
    max_body_bytes, max_unpacked_bytes
        Largest request, as sent and after unpacking.
    """

    protocol = "http"

    def __init__(
        self,
        name: str,
        sock: socket.socket,
        intake: Intake,
        *,
        token: str | None = None,
        tls: ssl.SSLContext | None = None,
        max_body_bytes: int = MAX_BODY_BYTES,
        max_unpacked_bytes: int = MAX_UNPACKED_BYTES,
    ) -> None:
        self.name = name
        self.socket = sock
        self.counts = Counts()
        self._intake = intake
        self._token = token
        self._tls = tls and counting_failures(tls, name, self.counts)
        self._max_body = max_body_bytes
        self._max_unpacked = max_unpacked_bytes
        self._opening = asyncio.Semaphore(_MAX_OPENED)
        self._waiting_bytes = 0
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None

    def app(self) -> Starlette:
        """Return the ASGI application."""
        return Starlette(
            routes=[Route(PATH, self._post, methods=["POST"]), Route("/healthz", self._health, methods=["GET"])],
            exception_handlers={HTTPException: self._refuse},
        )

    async def start(self) -> None:
        config = uvicorn.Config(
            self.app(),
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            limit_concurrency=_MAX_REQUESTS,
            timeout_graceful_shutdown=_STOP_SECONDS,
            ssl_context_factory=(lambda *_: tls) if (tls := self._tls) is not None else None,
        )
        self._server = uvicorn.Server(config)
        self._task = asyncio.get_running_loop().create_task(self._server.serve(sockets=[self.socket]))
        while not self._server.started and not self._task.done():
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await self._task
        self.socket.close()

    async def _health(self, request: Request) -> Response:
        problem = self._intake.problem
        return JSONResponse({"status": problem or "ok"}, 503 if problem else 200)

    async def _post(self, request: Request) -> Response:
        self._authorize(request)
        reader = _reader(request)
        unpack = _unpacker(request)
        async with self._body(request) as body, self._opening:
            lines = await asyncio.to_thread(lambda: _open(body, unpack, reader, self._max_unpacked))
        if not lines.good and not lines.bad:
            raise HTTPException(400, "the body has no lines")
        await self._keep(lines, request.client.host if request.client else "")
        return JSONResponse({"accepted": len(lines.good), "rejected": len(lines.bad)})

    def _authorize(self, request: Request) -> None:
        if self._token is None:
            return
        scheme, _, shown = request.headers.get("authorization", "").partition(" ")
        given = shown.strip().encode()
        if not (scheme.lower() == "bearer" and given and hmac.compare_digest(given, self._token.encode())):
            raise HTTPException(
                401, "send the token: 'Authorization: Bearer TOKEN'", headers={"WWW-Authenticate": "Bearer"}
            )

    @asynccontextmanager
    async def _body(self, request: Request) -> AsyncIterator[bytes]:
        """Yield the body; the bytes of all requests that are held at once are limited."""
        too_large = HTTPException(413, f"the body is larger than {self._max_body:,} bytes: send it in parts")
        if int(request.headers.get("content-length") or 0) > self._max_body:
            raise too_large
        parts, size = [], 0
        try:
            async for part in request.stream():
                size += len(part)
                self._waiting_bytes += len(part)
                if size > self._max_body:
                    raise too_large
                if self._waiting_bytes > _MAX_WAITING_BYTES:
                    raise _busy("too many large requests at once")
                parts.append(part)
            yield b"".join(parts)
        except ClientDisconnect:
            raise HTTPException(400, "the connection was closed before the end of the body") from None
        finally:
            self._waiting_bytes -= size

    async def _keep(self, lines: Lines, peer: str) -> None:
        if self._intake.crowded:
            raise _busy(self._intake.problem or "too many lines are waiting")
        self._intake.append(self.name, lines.good, peer)
        for line, reason in lines.bad:
            self._intake.append(self.name, [line[:KEPT_OF_REJECTED]], peer, reason=reason)
        self.counts.received += len(lines.good) + len(lines.bad)
        self.counts.malformed += len(lines.bad)
        try:
            await asyncio.wait_for(asyncio.wrap_future(self._intake.durable()), _DURABLE_SECONDS)
        except (TimeoutError, LogwardenError):
            raise _busy(self._intake.problem or "the disk is slow") from None

    async def _refuse(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        self.counts.refused += 1
        message = {
            404: f"no such path: send lines to POST {PATH}",
            405: f"{request.method} is not allowed here: send lines to POST {PATH}",
        }.get(error.status_code, error.detail)
        return JSONResponse({"error": message}, error.status_code, headers=error.headers)


class _TooLargeError(Exception):
    """The unpacked body is too large."""


class _TooManyError(Exception):
    """The body holds too many of something, which the message names."""


def _open(
    body: bytes, unpack: Callable[[bytes, int], bytes], reader: Callable[[bytes], Lines], max_bytes: int
) -> Lines:
    """Unpack a body and take it apart; what is wrong with it becomes an answer."""
    try:
        return reader(unpack(body, max_bytes))
    except _TooLargeError:
        raise HTTPException(413, f"the unpacked body is larger than {max_bytes:,} bytes") from None
    except _TooManyError as error:
        raise HTTPException(413, f"the body has {error}: send it in parts") from None
    except zlib.error as error:
        raise HTTPException(400, f"the body is not valid gzip: {error}") from None
    except ValueError as error:
        raise HTTPException(400, f"the body is not valid JSON lines: {error}") from None


def _busy(reason: str) -> HTTPException:
    return HTTPException(503, f"{reason}: try again", headers={"Retry-After": "1"})


def _reader(request: Request) -> Callable[[bytes], Lines]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _READERS:
        raise HTTPException(415, f"Content-Type {kind} is not taken: use text/plain, application/x-ndjson or "
                                 "application/json")  # fmt: skip
    return _READERS[kind]


def _unpacker(request: Request) -> Callable[[bytes, int], bytes]:
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding == "gzip":
        return _gunzip
    if coding == "identity":
        return lambda body, limit: body
    raise HTTPException(415, f"Content-Encoding {coding} is not taken: use gzip, or none")


def _gunzip(body: bytes, limit: int) -> bytes:
    """Unpack all members of a gzip body, never more than ``limit`` bytes."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as file:
            data = file.read(limit + 1)
    except EOFError:
        raise zlib.error("it breaks off before its end") from None
    except gzip.BadGzipFile as error:
        raise zlib.error(str(error)) from None
    if len(data) > limit:
        raise _TooLargeError
    return data


def _as_line(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if isinstance(value, dict):
        try:
            return orjson.dumps(value)
        except TypeError as error:  # nested deeper than can be written
            raise ValueError(str(error)) from None
    raise ValueError(f"found {type(value).__name__}, expected a string or an object")


def _check_length(lines: Iterable[bytes]) -> Lines:
    good: list[bytes] = []
    bad: list[tuple[bytes, str]] = []
    for line in lines:
        if len(line) <= MAX_LINE_BYTES:
            good.append(line)
        else:
            bad.append((line, _too_long(line)))
    return Lines(good, bad)


def _check_count(lines: int) -> None:
    if lines > MAX_LINES:
        raise _TooManyError(f"more than {MAX_LINES:,} lines")


def _too_long(line: bytes) -> str:
    return f"line of {len(line)} bytes is longer than {MAX_LINE_BYTES}"
