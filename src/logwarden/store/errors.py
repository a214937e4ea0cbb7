"""Failures of a store in words."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError

from logwarden.errors import LogwardenError

_HINTS = {
    "not a database": "it is not an SQLite file; give another path",
    "unable to open": "check that the folder exists and is writable",
    "readonly": "the file or its folder is read-only; give write permission or another path",
    "locked": "another process holds it for too long; stop it or try again",
    "lock timeout": "another process holds it for too long; stop it or try again",
    "database or disk is full": "the disk is full; free some space",
    "No space left": "the disk of the server is full; free some space",
    "malformed": "the file is damaged; move it away and run again, or restore a copy",
    "password authentication failed": "check user and password in the URL",
    "no password supplied": "give the password in the URL, or with --secrets",
    "Connection refused": "no server listens there: check host and port, and that it runs",
    "resolve host": "check the host in the URL",
    "timeout expired": "the server does not answer: check host, port and firewall",
    "does not exist": "create it first, or check the name in the URL",
    "permission denied": "the user may not do that: grant it CREATE on the schema, or use a database of its own",
    "read-only": "the server or the user may only read; write to the primary server",
    "too many connections": "raise max_connections of the server, or use a pooler",
    "too many clients": "raise max_connections of the server, or use a pooler",
}


class StoreError(LogwardenError):
    """The store cannot be used."""


class CheckpointMovedError(LogwardenError):
    """Another process has taken over what this one was doing: its results must not be stored."""


def explain_failure(error: DBAPIError, shown: str) -> StoreError:
    """Return the one-line error for a failed statement.

    Parameters
    ----------
    error
        What the driver said. Of several lines the first is taken: further ones may repeat data.
    shown
        The URL without a password.
    """
    reason = next(iter(str(error.orig).splitlines()), "") if error.orig else type(error).__name__
    hint = next((advice for sign, advice in _HINTS.items() if sign in reason), "see docs/store.md")
    return StoreError(f"store {shown}: {reason.rstrip(' :;.')}: {hint}")
