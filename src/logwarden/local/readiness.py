"""Waiting for the dashboard, so that nobody is sent to a page that does not answer yet."""

from __future__ import annotations

import http.client
import subprocess
import time

from logwarden.local.commands import reachable
from logwarden.local.ports import Endpoint

_ANSWER_SECONDS = 1.0


class Readiness:
    """Tells when a person can be told that everything is there.

    Parameters
    ----------
    page
        Where the dashboard will be; None where there is none to wait for.
    child
        Its process.
    patience
        Seconds after which it is waited for no longer.
    """

    def __init__(self, page: Endpoint | None, child: subprocess.Popen[bytes] | None, patience: float) -> None:
        self.told = False
        """Whether :meth:`reached` was true."""
        self._page = page
        self._child = child
        self._until = time.monotonic() + patience

    def reached(self) -> bool:
        """Ask once; true when the page answers, or when there is no reason to go on waiting for it."""
        self.told = self._page is None or self._is_hopeless() or _answers(self._page)
        return self.told

    def _is_hopeless(self) -> bool:
        return time.monotonic() >= self._until or (self._child is not None and self._child.poll() is not None)


def _answers(page: Endpoint) -> bool:
    connection = http.client.HTTPConnection(reachable(page.host), page.port, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
