"""Syslog listeners: UDP (RFC 5426), TCP (RFC 6587) and TLS (RFC 5425)."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
import time
from pathlib import Path

from logwarden.sources.base import MAX_LINE_BYTES
from logwarden.sources.framing import Frame, Framer
from logwarden.sources.listening import Counts, Intake
from logwarden.sources.tls import counting_failures

_log = logging.getLogger(__name__)
_DATAGRAMS_AT_ONCE = 1000
_DATAGRAM_END = b"\r\n\0"
_ROUNDS_AT_STOP = 50
_CROWDED_WAIT = 0.05
_LINGER = 0.2
_HANDSHAKE_SECONDS = 10.0
_GOODBYE_SECONDS = 1.0
MAX_CONNECTIONS = 1000
IDLE_SECONDS = 3600.0
UNFINISHED_SECONDS = 60.0


class UdpListener:
    """One message a datagram. What the kernel drops is counted in :meth:`kernel_drops`."""

    protocol = "udp"

    def __init__(self, name: str, sock: socket.socket, intake: Intake) -> None:
        self.name = name
        self.socket = sock
        self.counts = Counts()
        self._intake = intake
        self._last_kernel_drops = 0

    async def start(self) -> None:
        asyncio.get_running_loop().add_reader(self.socket, self._read)

    async def stop(self) -> None:
        asyncio.get_running_loop().remove_reader(self.socket)
        for _ in range(_ROUNDS_AT_STOP):
            if not self._read():
                break
        self.kernel_drops()
        self.socket.close()

    def kernel_drops(self) -> int:
        """Return how many datagrams the kernel has dropped at this socket; 0 where it does not tell."""
        if self.socket.fileno() >= 0:
            self._last_kernel_drops = _drops_of(self.socket)
        return self._last_kernel_drops

    def _read(self) -> int:
        """Hand on the datagrams that wait; return their number."""
        lines: list[bytes] = []
        peers: list[str] = []
        receive = self.socket.recvfrom
        for _ in range(_DATAGRAMS_AT_ONCE):
            try:
                data, sender = receive(MAX_LINE_BYTES)
            except OSError:  # nothing more, or an ICMP error for something this socket sent
                break
            lines.append(data.rstrip(_DATAGRAM_END))
            peers.append(sender[0])
        if lines:
            self._hand_on(lines, peers)
        return len(lines)

    def _hand_on(self, lines: list[bytes], peers: list[str]) -> None:
        if self._intake.crowded:
            self.counts.dropped += len(lines)
            return
        self.counts.received += len(lines)
        if all(lines):
            self._intake.append(self.name, lines, peers)
            return
        pairs = list(zip(lines, peers, strict=True))
        full = [pair for pair in pairs if pair[0]]
        empty = [peer for line, peer in pairs if not line]
        self.counts.malformed += len(empty)
        if full:
            self._intake.append(self.name, [line for line, _ in full], [peer for _, peer in full])
        self._intake.append(self.name, [b""] * len(empty), empty, reason="empty datagram")


class TcpListener:
    """Messages over connections, framed either way; see :mod:`logwarden.sources.framing`.

    A sender is slowed down while the intake is crowded. A connection is closed after ``idle_seconds`` without data,
    and after ``unfinished_seconds`` without the rest of a message. Connections over ``max_connections`` are refused.
    With ``tls`` they are encrypted; one that does not get that far counts as refused.
    """

    protocol = "tcp"

    def __init__(
        self,
        name: str,
        sock: socket.socket,
        intake: Intake,
        *,
        tls: ssl.SSLContext | None = None,
        max_connections: int = MAX_CONNECTIONS,
        idle_seconds: float = IDLE_SECONDS,
        unfinished_seconds: float = UNFINISHED_SECONDS,
    ) -> None:
        self.name = name
        self.socket = sock
        self.counts = Counts()
        self.connections: set[_Connection] = set()
        self.max_connections = max_connections
        self.intake = intake
        self._tls = tls and counting_failures(tls, name, self.counts)
        self._idle_seconds = idle_seconds
        self._unfinished_seconds = unfinished_seconds
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self),
            sock=self.socket,
            ssl=self._tls,
            ssl_handshake_timeout=_HANDSHAKE_SECONDS if self._tls else None,
            ssl_shutdown_timeout=_GOODBYE_SECONDS if self._tls else None,
        )
        self._sweeper = loop.create_task(self._sweep())

    async def stop(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
        if self._server is not None:
            self._server.close()
        await asyncio.sleep(_LINGER)  # what has already arrived is still read
        for connection in list(self.connections):
            connection.close()
        await self._let_go()

    async def _let_go(self) -> None:
        """Give connections the time to say goodbye, which TLS does."""
        until = time.monotonic() + 2 * _GOODBYE_SECONDS
        await asyncio.sleep(0)
        while self.connections and time.monotonic() < until:
            await asyncio.sleep(_LINGER / 10)

    async def _sweep(self) -> None:
        pause = min(self._idle_seconds, self._unfinished_seconds) / 4
        while True:
            await asyncio.sleep(pause)
            now = time.monotonic()
            for connection in [one for one in self.connections if not one.paused]:
                patience = self._unfinished_seconds if connection.unfinished else self._idle_seconds
                if now - connection.heard > patience:
                    _log.info("%s: closing a connection, silent for %d s", self.name, now - connection.heard)
                    connection.close()


class _Connection(asyncio.Protocol):
    def __init__(self, listener: TcpListener) -> None:
        self._listener = listener
        self._framer = Framer()
        self._transport: asyncio.Transport | None = None
        self.heard = time.monotonic()
        self.paused = False
        """True while we do not read: then silence is not the sender's."""
        self.peer = ""

    @property
    def unfinished(self) -> bool:
        return self._framer.unfinished

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if len(self._listener.connections) >= self._listener.max_connections:
            self._listener.counts.refused += 1
            transport.abort()
            return
        name = transport.get_extra_info("peername")
        self.peer = name[0] if name else ""
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._listener.connections.add(self)

    def data_received(self, data: bytes) -> None:
        self.heard = time.monotonic()
        self._hand_on(self._framer.feed(data))
        if self._listener.intake.crowded and self._transport is not None:
            self.paused = True
            self._transport.pause_reading()
            self._resume_later()

    def connection_lost(self, exc: Exception | None) -> None:
        if self in self._listener.connections:
            self._listener.connections.discard(self)
            self._hand_on(self._framer.finish())

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _resume_later(self) -> None:
        asyncio.get_running_loop().call_later(_CROWDED_WAIT, self._resume)

    def _resume(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if self._listener.intake.crowded:
            self._resume_later()
        else:
            self.heard = time.monotonic()
            self.paused = False
            self._transport.resume_reading()

    def _hand_on(self, frames: list[Frame]) -> None:
        if not frames:
            return
        listener = self._listener
        listener.counts.received += len(frames)
        good: list[bytes] = []
        for frame in frames:
            if not frame.reason:
                good.append(frame.data)
                continue
            self._append(good)
            good = []
            listener.counts.malformed += 1
            listener.intake.append(listener.name, [frame.data], self.peer, reason=frame.reason)
        self._append(good)

    def _append(self, lines: list[bytes]) -> None:
        if lines:
            self._listener.intake.append(self._listener.name, lines, self.peer)


def _drops_of(sock: socket.socket) -> int:
    """Read the last column of the socket's row in /proc/net/udp or udp6 (Linux)."""
    inode = str(os.fstat(sock.fileno()).st_ino)
    table = Path("/proc/net/udp6" if sock.family == socket.AF_INET6 else "/proc/net/udp")
    try:
        rows = table.read_text().splitlines()[1:]
    except OSError:
        return 0
    return next((int(row.split()[12]) for row in rows if row.split()[9] == inode), 0)
