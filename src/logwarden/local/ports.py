"""Which ports a pipeline takes on this machine, and binding them with errors that a person can act on."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from logwarden.api.log_pipeline import LogPipeline
from logwarden.errors import InvalidInputError, LogwardenError
from logwarden.sources.listening import bind

HTTP = "http"
DASHBOARD = "dashboard"
DASHBOARD_PORT = 8501
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Endpoint:
    """One port: ``protocol`` is ``udp``, ``tcp``, ``tls``, ``http``, ``https`` or ``page``.

    ``field`` is where the port was set.
    """

    name: str
    protocol: str
    host: str
    port: int
    field: str

    @property
    def flag(self) -> str:
        """The option that changes the port."""
        return f"--port {self.name}=PORT"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def endpoints(pipeline: LogPipeline, *, host: str | None, ports: Mapping[str, int], dashboard: bool) -> list[Endpoint]:
    """Return the ports that a pipeline takes, the dashboard's last.

    Parameters
    ----------
    pipeline
        Its syslog listeners and HTTP endpoint.
    host
        Bind everything to this address instead.
    ports
        Other ports, by name.
    dashboard
        Whether there is a dashboard.

    Raises
    ------
    InvalidInputError
        If ``ports`` names something that is not there.
    """
    found = list(_from_pipeline(pipeline))
    if dashboard:
        found.append(Endpoint(DASHBOARD, "page", LOOPBACK, DASHBOARD_PORT, ""))
    names = {endpoint.name for endpoint in found}
    for name in ports:
        if name not in names:
            raise InvalidInputError(f"--port {name}=...: there is no '{name}'; there is {', '.join(sorted(names))}")
    return [replace(one, host=host or one.host, port=ports.get(one.name, one.port)) for one in found]


def bind_endpoint(endpoint: Endpoint) -> tuple[Endpoint, socket.socket]:
    """Bind a port; return the endpoint with the port it got (0 takes a free one) and the socket.

    Raises
    ------
    LogwardenError
        If the port is taken, needs root, or the address is not of this machine.
    """
    try:
        sock = bind("udp" if endpoint.protocol == "udp" else "tcp", endpoint.host, endpoint.port)
    except OSError as error:
        raise LogwardenError(_explain(endpoint, error)) from None
    return replace(endpoint, port=sock.getsockname()[1]), sock


def check_free(endpoint: Endpoint) -> Endpoint:
    """Return the endpoint with a port that can be bound, without keeping it; raises as :func:`bind_endpoint`."""
    bound, sock = bind_endpoint(endpoint)
    sock.close()
    return bound


def _from_pipeline(pipeline: LogPipeline) -> Iterator[Endpoint]:
    for index, listener in enumerate(pipeline.spec.collect.syslog.listeners):
        field = f"spec.collect.syslog.listeners[{index}].port"
        yield Endpoint(listener.name, listener.transport.lower(), listener.bind_address, listener.port, field)
    http = pipeline.spec.collect.http
    if http.enabled:
        protocol = "http" if http.tls_secret_ref is None else "https"
        yield Endpoint(HTTP, protocol, http.bind_address, http.port, "spec.collect.http.port")


def _explain(endpoint: Endpoint, error: OSError) -> str:
    protocol = "udp" if endpoint.protocol == "udp" else "tcp"
    what = f"port {endpoint.port}/{protocol} of {endpoint.host}"
    whose = f"{endpoint.name} ({endpoint.field})" if endpoint.field else endpoint.name
    change = (
        f"change {endpoint.field} or start with {endpoint.flag}" if endpoint.field else f"start with {endpoint.flag}"
    )
    if error.errno == errno.EADDRINUSE:
        return f"{what}, wanted for {whose}, is taken: stop the program that has it, or {change}"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{what}, wanted for {whose}, needs root: {change}, with a port above 1023"
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return f"{endpoint.host}, wanted for {whose}, is no address of this machine: change it, or start with --host"
    return f"{what}, wanted for {whose}, cannot be used: {error.strerror}"
