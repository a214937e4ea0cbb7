"""Connecting to a database: creation, migration, and what each kind of database needs to be told."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from logwarden.errors import InvalidInputError, LogwardenError
from logwarden.store.migrations import HEAD, upgrade

FOR_WRITING: Final[dict[str, Any]] = {"logwarden_writes": True}
BUSY_SECONDS: Final = 20


class StoreError(LogwardenError):
    """The store cannot be used."""


class CheckpointMovedError(LogwardenError):
    """Another process has taken over what this one was doing: its results must not be stored."""


def connect(url_or_path: str | Path, *, read_only: bool) -> tuple[Engine, str]:
    """Return an engine whose tables are up to date, and the URL without a password for messages.

    Raises
    ------
    StoreError
        If the store cannot be used.
    InvalidInputError
        If the URL is none.
    """
    url = _parse(url_or_path)
    shown = url.render_as_string(hide_password=True)
    if url.get_backend_name() == "sqlite":
        _prepare_file(url, read_only=read_only)
    engine = _create(url, shown, read_only=read_only)
    try:
        _bring_up_to_date(engine, shown, read_only=read_only)
    except DBAPIError as error:
        engine.dispose()
        raise explain_failure(error, shown) from error
    except BaseException:
        engine.dispose()
        raise
    return engine, shown


def _create(url: URL, shown: str, *, read_only: bool) -> Engine:
    try:
        engine = create_engine(url, connect_args=_connect_args(url))
    except ImportError as error:
        raise StoreError(f"store {shown}: the driver {error.name!r} is not installed; install it with pip") from error
    except ArgumentError as error:
        raise _unknown_url(shown) from error
    if url.get_backend_name() == "sqlite":
        _configure_sqlite(engine, read_only=read_only)
    return engine


def _parse(url_or_path: str | Path) -> URL:
    text_form = str(url_or_path)
    if "://" not in text_form:
        return URL.create("sqlite", database=str(Path(text_form).expanduser().resolve()))
    try:
        return make_url(text_form)
    except (ArgumentError, ValueError) as error:
        raise _unknown_url(_without_password(text_form)) from error


def _unknown_url(shown: str) -> InvalidInputError:
    return InvalidInputError(f"store {shown!r} is neither a path nor an SQLAlchemy URL such as sqlite:////var/x.db")


def _without_password(text_form: str) -> str:
    """Hide what may be a password in text that is no URL."""
    return re.sub(r"(://[^:@/]*):.*@", r"\1:***@", text_form, flags=re.DOTALL)


def _connect_args(url: URL) -> dict[str, Any]:
    return {"timeout": BUSY_SECONDS} if url.get_backend_name() == "sqlite" else {}


def _prepare_file(url: URL, *, read_only: bool) -> None:
    if not url.database or url.database == ":memory:":
        raise StoreError("a store needs a file, because several processes use it: give a path")
    path = Path(url.database)
    if path.is_dir():
        raise StoreError(f"store {path} is a folder: name a file in it, such as {path / 'logwarden.db'}")
    if read_only:
        if not path.exists():
            raise StoreError(
                f"no store at {path}: `logwarden up -f FILE` or `logwarden detect LOGS --store FILE` makes one"
            )
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make the folder of store {path}: {error.strerror}; choose another path") from error


def _configure_sqlite(engine: Engine, *, read_only: bool) -> None:
    """Take transactions into our own hands, and set what holds per connection.

    A transaction that will write takes the write lock when it begins: one that first reads and then finds the lock
    taken could only fail. synchronous=FULL because a broker is told to forget lines once a commit has returned.
    """

    @event.listens_for(engine, "connect")
    def _on_connect(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
        if read_only:
            connection.execute("PRAGMA query_only = ON")
            return
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("logwarden_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _bring_up_to_date(engine: Engine, shown: str, *, read_only: bool) -> None:
    with engine.connect() as connection:
        version = _version(connection, shown)
    if version == HEAD:
        return
    if read_only:
        raise StoreError(
            f"store {shown} has older tables ({version or 'none'}): `logwarden up` or `detect` updates them"
        )
    with engine.execution_options(**FOR_WRITING).begin() as connection:
        # Another process may have done it while this one waited for the lock.
        if _version(connection, shown) != HEAD:
            upgrade(connection)


def _version(connection: Connection, shown: str) -> str | None:
    """Return the revision of the tables, None for an empty database."""
    names = inspect(connection).get_table_names()
    if "alembic_version" not in names:
        if names:
            raise StoreError(f"store {shown} is a database of something else (table {names[0]!r}): give another path")
        return None
    version = connection.scalar(text("SELECT version_num FROM alembic_version"))
    if version is not None and version > HEAD:
        raise StoreError(f"store {shown} was written by a newer Logwarden (tables {version}): upgrade this one")
    return str(version) if version is not None else None


def explain_failure(error: DBAPIError, shown: str) -> StoreError:
    """Return the one-line error for a failed statement."""
    reason = str(error.orig).splitlines()[0] if error.orig else type(error).__name__
    hints = {
        "not a database": "it is not an SQLite file; give another path",
        "unable to open": "check that the folder exists and is writable",
        "readonly": "the file or its folder is read-only; give write permission or another path",
        "locked": "another process holds it for too long; stop it or try again",
        "full": "the disk is full; free some space",
        "malformed": "the file is damaged; move it away and run again, or restore a copy",
    }
    hint = next((advice for sign, advice in hints.items() if sign in reason), "see docs/store.md")
    return StoreError(f"store {shown}: {reason}: {hint}")
