"""The endpoint as a listener: a bound socket, served until it is stopped."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from logwarden.ingest.limits import Limits
from logwarden.ingest.service import Ingest
from logwarden.ingest.tokens import Tokens
from logwarden.sources.listening import Counts, Intake
from logwarden.sources.tls import counting_failures

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

MAX_CONNECTIONS = 1_000
_STOP_SECONDS = 5


def preload() -> None:
    """Begin to import the application beside other work: half a second of a start."""
    threading.Thread(target=_import_app, name="http-imports", daemon=True).start()


class HttpListener:
    """Serves the endpoint on a bound socket.

    Parameters
    ----------
    name, sock, intake
        Name of the listener, its bound socket, and where lines go.
    tokens
        Bearer tokens of which senders must show one, or None when anyone may send.
    tls
        Makes it HTTPS.
    limits
        Bounds of requests.
    by_device
        Tell the intake which host each line names.
    """

    protocol = "http"

    def __init__(
        self,
        name: str,
        sock: socket.socket,
        intake: Intake,
        *,
        tokens: Tokens | None = None,
        tls: ssl.SSLContext | None = None,
        limits: Limits | None = None,
        by_device: bool = False,
    ) -> None:
        self.name = name
        self.socket = sock
        self.counts = Counts()
        self.ingest = Ingest(name, intake, self.counts, tokens=tokens, limits=limits, by_device=by_device)
        self._app = _import_app()(self.ingest)
        self._tls = tls and counting_failures(tls, name, self.counts)
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Serve; returns when the endpoint answers."""
        import uvicorn

        from logwarden.ingest.protocol import PromptProtocol

        config = uvicorn.Config(
            self._app,
            http=PromptProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=_STOP_SECONDS,
            ssl_context_factory=(lambda *_: tls) if (tls := self._tls) is not None else None,
        )
        self._server = uvicorn.Server(config)
        self._task = asyncio.get_running_loop().create_task(self._server.serve(sockets=[self.socket]))
        while not self._server.started and not self._task.done():
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Answer what has begun, take no more, close the socket."""
        self.ingest.stopping = True
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await self._task
        self.socket.close()


def _import_app() -> Callable[[Ingest], FastAPI]:
    import uvicorn  # noqa: F401 - so that start() does not wait for it

    from logwarden.ingest.app import create_app

    return create_app
