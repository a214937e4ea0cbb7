"""Where the API server is and how the operator signs in: in a pod its service account, elsewhere a kubeconfig."""

from __future__ import annotations

import time

import kopf

from logwarden.errors import InvalidInputError

_KNOWN_SECONDS = 60.0


def find_connection() -> kopf.ConnectionInfo:
    """Return how to reach the API server.

    Raises
    ------
    InvalidInputError
        If nothing tells.
    """
    settings = kopf.OperatorSettings()
    found = kopf.login_with_service_account(settings=settings) or kopf.login_with_kubeconfig(settings=settings)
    if found is None:
        raise InvalidInputError("no API server: neither a pod's service account nor a kubeconfig (KUBECONFIG) is there")
    return found


class Credentials:
    """The header with which requests are made, read anew every minute: a service account's token is renewed on disk."""

    def __init__(self, connection: kopf.ConnectionInfo) -> None:
        self._headers, self._read = connection.as_http_headers(), time.monotonic()

    def headers(self) -> dict[str, str]:
        """Return the header."""
        if time.monotonic() - self._read > _KNOWN_SECONDS:
            self._headers, self._read = find_connection().as_http_headers(), time.monotonic()
        return self._headers
