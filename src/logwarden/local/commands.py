"""Commands that feed a running pipeline, ready to copy into a shell of this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from shlex import quote

from logwarden.ingest import PATH
from logwarden.local.ports import Endpoint

_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound
_TEXT = "'hello from me'"


def url(endpoint: Endpoint) -> str:
    """Return the URL at which this machine reaches the pages or takes lines by HTTP."""
    scheme = "https" if endpoint.protocol == "https" else "http"
    return f"{scheme}://{_place(endpoint)}{'' if endpoint.protocol == 'page' else PATH}"


def sending(endpoints: Sequence[Endpoint], *, token: bool, authority: Path | None) -> list[str]:
    """Return for each endpoint a command that sends it a line; "" where another one's command says as much.

    ``logger`` is the one of util-linux, which Linux distributions ship.

    Parameters
    ----------
    endpoints
        Bound endpoints.
    token
        Whether the HTTP endpoint asks for a bearer token.
    authority
        Certificate by which a client knows the HTTP endpoint, where that speaks HTTPS.
    """
    datagrams = {(endpoint.host, endpoint.port) for endpoint in endpoints if endpoint.protocol == "udp"}
    return [
        "" if one.protocol == "tcp" and (one.host, one.port) in datagrams else _command(one, token, authority)
        for one in endpoints
    ]


def _command(endpoint: Endpoint, token: bool, authority: Path | None) -> str:
    if endpoint.protocol in ("udp", "tcp"):
        return f"logger --{endpoint.protocol} --server {reachable(endpoint.host)} --port {endpoint.port} {_TEXT}"
    if endpoint.protocol == "tls":
        return f"echo {_TEXT} | openssl s_client -quiet -no_ign_eof -connect {_place(endpoint)}"
    trust = f"--cacert {quote(str(authority))} " if authority is not None else ""
    header = "-H 'Authorization: Bearer TOKEN' " if token else ""
    return f"curl {trust}{header}--data-binary {_TEXT} {url(endpoint)}"


def reachable(host: str) -> str:
    """Return the address at which this machine reaches what listens at ``host``."""
    return _ANY_ADDRESS.get(host, host)


def _place(endpoint: Endpoint) -> str:
    host = reachable(endpoint.host)
    return f"[{host}]:{endpoint.port}" if ":" in host else f"{host}:{endpoint.port}"
