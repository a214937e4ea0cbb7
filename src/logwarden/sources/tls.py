"""What listeners with TLS share."""

from __future__ import annotations

import logging
import ssl

from logwarden.sources.listening import Counts

_log = logging.getLogger(__name__)


def counting_failures(context: ssl.SSLContext, name: str, counts: Counts) -> ssl.SSLContext:
    """Let a context count connections that fail before they are encrypted, and say why at the first of each kind.

    asyncio tells nobody about them, and a person who sets up a sender has to know.
    """
    told: set[str] = set()

    class Connection(ssl.SSLObject):
        def do_handshake(self) -> None:
            try:
                super().do_handshake()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                raise
            except ssl.SSLError as error:
                counts.refused += 1
                reason = (error.reason or str(error)).replace("_", " ").lower()
                _log.log(logging.INFO if reason in told else logging.WARNING, "%s: no TLS: %s", name, reason)
                told.add(reason)
                raise

    context.sslobject_class = Connection
    return context
