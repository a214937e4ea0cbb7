"""What SQLite needs to be told."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import URL

from logwarden.store.errors import StoreError

BUSY_SECONDS: Final = 20
CONNECT_ARGS: Final[dict[str, Any]] = {"timeout": BUSY_SECONDS}
FOR_WRITING: Final = "logwarden_writes"


def prepare_file(url: URL, *, read_only: bool) -> None:
    """Make the folder of a database's file, or see that the file is there.

    Raises
    ------
    StoreError
        If there can be no store at that place.
    """
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


def configure(engine: Engine, *, read_only: bool) -> None:
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
        writes = connection.get_execution_options().get(FOR_WRITING, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
