"""Commands that feed a running pipeline, for copying into a shell."""

from __future__ import annotations

from collections.abc import Sequence

from logwarden.store import ListenerStatus

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - read, not bound


def examples(listeners: Sequence[ListenerStatus]) -> list[str]:
    """Return a command per listener; one for a port that takes both UDP and TCP.

    ``logger`` is the one of util-linux, which Linux distributions ship.
    """
    datagrams = {(listener.address, listener.port) for listener in listeners if listener.protocol == "udp"}
    return [
        _example(listener)
        for listener in listeners
        if listener.protocol != "tcp" or (listener.address, listener.port) not in datagrams
    ]


def _example(listener: ListenerStatus) -> str:
    address = _EVERYWHERE.get(listener.address, listener.address)
    if listener.protocol == "http":
        host = f"[{address}]" if ":" in address else address
        return f"curl --data-binary 'hello from me' http://{host}:{listener.port}/{listener.path.lstrip('/')}"
    transport = "-d" if listener.protocol == "udp" else "-T"
    return f"logger -n {address} -P {listener.port} {transport} 'hello from me'"


def describe(listeners: Sequence[ListenerStatus]) -> str:
    """Return the ports in words, such as ``udp/tcp 5514 and http 8080``."""
    ports: dict[int, list[str]] = {}
    for listener in listeners:
        ports.setdefault(listener.port, []).append(listener.protocol)
    words = [f"{'/'.join(protocols)} {port}" for port, protocols in ports.items()]
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
