"""What listeners share: sockets, counters, and the thread in which they run."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Coroutine, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from logwarden.errors import LogwardenError

_RECEIVE_BUFFER = 8 * 1024 * 1024
_SO_RCVBUFFORCE = 33  # Linux only; the standard library has no name for it
_BACKLOG = 512
_STOP_SECONDS = 15.0
_log = logging.getLogger(__name__)


class Intake(Protocol):
    """Where listeners put messages: a spool on disk, or a producer to Kafka."""

    @property
    def crowded(self) -> bool:
        """True while listeners should slow down."""
        ...

    @property
    def problem(self) -> str:
        """Why lines are not taken at the moment, in words; empty if they are."""
        ...

    def append(
        self,
        listener: str,
        lines: Sequence[bytes],
        peers: str | Sequence[str] = "",
        *,
        keys: Sequence[str] | None = None,
        reason: str = "",
        late: bool = False,
    ) -> None:
        """Add lines; they are safe from a crash once :meth:`durable` says so.

        Parameters
        ----------
        listener
            Name of the listener.
        lines
            Raw messages without line ends.
        peers
            Address of the sender, one for all or one for each line.
        keys
            What decides the partition, where that is not the peer: the device, when a relay sends for many.
        reason
            Why the lines cannot be taken apart; they are then kept as malformed, and not judged.
        late
            See :class:`logwarden.events.Batch`.
        """
        ...

    def durable(self) -> Future[None]:
        """Return a future that is done when everything appended so far is safe.

        It fails with :class:`logwarden.errors.LogwardenError` when that cannot come.
        """
        ...


@dataclass(slots=True)
class Counts:
    """What happened at a listener since it started.

    ``received`` are messages handed on, ``malformed`` those among them that could not be taken apart, ``dropped``
    messages lost because the spool was crowded (UDP only), ``refused`` connections or requests over a limit.
    """

    received: int = 0
    malformed: int = 0
    dropped: int = 0
    refused: int = 0


class Listener(Protocol):
    """Takes messages on one port and hands them to an intake."""

    name: str
    protocol: str
    socket: socket.socket
    counts: Counts

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


def bind(protocol: str, host: str, port: int) -> socket.socket:
    """Return a bound socket: ``protocol`` is ``udp`` or ``tcp``; port 0 takes any free one.

    Raises
    ------
    OSError
        If the address cannot be bound.
    """
    kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
    family, kind, number, _, address = socket.getaddrinfo(host, port, type=kind, flags=socket.AI_PASSIVE)[0]
    sock = socket.socket(family, kind, number)
    try:
        if protocol == "udp":
            _widen(sock)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        if protocol != "udp":
            sock.listen(_BACKLOG)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def _widen(sock: socket.socket) -> None:
    """Let the kernel hold more datagrams while this process is busy; root may pass the system's limit."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER)


class ListenerThread:
    """Runs listeners in an event loop of its own thread."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self.listeners = listeners
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="listeners", daemon=True)

    def start(self) -> None:
        """Start all listeners; returns when they listen."""
        self._thread.start()
        for listener in self.listeners:
            self._call(listener.start())

    def stop(self) -> None:
        """Stop taking messages, hand on what has arrived, close the sockets."""
        for listener in self.listeners:
            try:
                self._call(listener.stop())
            except LogwardenError as error:
                _log.error("%s: %s", listener.name, error)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_STOP_SECONDS)

    def _call(self, step: Coroutine[Any, Any, None]) -> None:
        try:
            asyncio.run_coroutine_threadsafe(step, self._loop).result(_STOP_SECONDS)
        except TimeoutError:
            raise LogwardenError("a listener did not answer in time") from None

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
        finally:
            self._loop.close()
