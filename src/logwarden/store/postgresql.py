"""What PostgreSQL needs to be told."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, OperationalError

from logwarden.store.sqlite import BUSY_SECONDS

DRIVER: Final = "postgresql+psycopg"
NAMES: Final = ("postgres", "postgresql")
# Any number of our own: who creates or changes the tables holds this lock.
_MIGRATION_LOCK: Final = 7_119_071_331
_PASSING_STATES: Final = (
    "40001",  # another transaction was in the way
    "40P01",  # two transactions waited for each other, and this one was ended
    "53300",  # too many connections
    "57P01",  # the server shuts down
    "57P02",  # another process of the server died
    "57P03",  # the server starts
)
_CONNECTION_LOST: Final = "08"


def with_driver(url: URL) -> URL:
    """Return the URL with the driver that we install, where it names none."""
    return url.set(drivername=DRIVER) if url.drivername in NAMES else url


def connect_args(url: URL, *, read_only: bool) -> dict[str, Any]:
    """Return arguments of a connection; the URL's own options stay.

    A network that was cut is noticed after half a minute, not after the two hours that are TCP's default.
    """
    own = url.query.get("options", "")
    options = [own if isinstance(own, str) else " ".join(own), f"-c lock_timeout={BUSY_SECONDS}s"]
    if read_only:
        options.append("-c default_transaction_read_only=on")
    defaults = {
        "application_name": "logwarden",
        "connect_timeout": 10,
        "keepalives_idle": 30,
        "tcp_user_timeout": 30_000,
    }
    return {**{name: value for name, value in defaults.items() if name not in url.query}, "options": " ".join(options)}


def lock_for_migration(connection: Connection) -> None:
    """Wait until no other process changes the tables; the transaction's end releases the lock."""
    connection.execute(text("SET LOCAL lock_timeout = 0"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})


def transaction_number(connection: Connection) -> int:
    """Return the number of the present transaction."""
    return int(connection.scalar(text("SELECT txid_current()")) or 0)


def transaction_status(connection: Connection, number: int) -> str:
    """Return ``committed``, ``aborted``, ``in progress``, or an empty text for a transaction of long ago."""
    return str(connection.scalar(text("SELECT txid_status(:number)"), {"number": number}) or "")


def is_passing(error: DBAPIError) -> bool:
    """Whether the same transaction may succeed when it is tried again later."""
    state = getattr(error.orig, "sqlstate", None)
    if state is None:
        return error.connection_invalidated or isinstance(error, OperationalError)
    return state in _PASSING_STATES or state.startswith(_CONNECTION_LOST)
