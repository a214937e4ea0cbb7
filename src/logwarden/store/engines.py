"""Connecting to a database: creation and migration, and the kinds of database there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from logwarden.errors import InvalidInputError
from logwarden.store import postgresql, sqlite
from logwarden.store.errors import StoreError, explain_failure
from logwarden.store.migrations import HEAD, upgrade

KINDS: Final = ("sqlite", "postgresql")
_SECRET_OPTIONS: Final = frozenset({"password", "sslpassword"})


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
    shown = _show(url)
    if url.get_backend_name() == "sqlite":
        sqlite.prepare_file(url, read_only=read_only)
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


def for_writing(engine: Engine) -> Engine:
    """Return the engine for transactions that write."""
    return engine.execution_options(**{sqlite.FOR_WRITING: True})


def for_reading(engine: Engine) -> Engine:
    """Return the engine for transactions whose statements all see the same state."""
    if engine.dialect.name == "postgresql":
        return engine.execution_options(isolation_level="REPEATABLE READ")
    return engine


def _create(url: URL, shown: str, *, read_only: bool) -> Engine:
    try:
        # A connection that died while nobody used it is replaced instead of failing the next statement.
        engine = create_engine(url, connect_args=_connect_args(url, read_only=read_only), pool_pre_ping=True)
    except ImportError as error:
        raise StoreError(f"store {shown}: the driver {error.name!r} is not installed; install it with pip") from error
    except ArgumentError as error:
        raise _unknown_url(shown) from error
    if engine.dialect.name not in KINDS:
        raise StoreError(f"store {shown}: SQLite and PostgreSQL can be used, {engine.dialect.name} cannot")
    if engine.dialect.name == "sqlite":
        sqlite.configure(engine, read_only=read_only)
    return engine


def _connect_args(url: URL, *, read_only: bool) -> dict[str, Any]:
    if url.get_backend_name() == "postgresql":
        return postgresql.connect_args(url, read_only=read_only)
    return sqlite.CONNECT_ARGS if url.get_backend_name() == "sqlite" else {}


def _parse(url_or_path: str | Path) -> URL:
    text_form = str(url_or_path)
    if "://" not in text_form:
        return URL.create("sqlite", database=str(Path(text_form).expanduser().resolve()))
    try:
        return postgresql.with_driver(make_url(text_form))
    except (ArgumentError, ValueError) as error:
        raise _unknown_url(_without_password(text_form)) from error


def _show(url: URL) -> str:
    """Return the URL without its passwords; libpq takes them among the options, too."""
    secrets = dict.fromkeys(_SECRET_OPTIONS & url.query.keys(), "***")
    return url.update_query_dict(secrets).render_as_string(hide_password=True)


def _unknown_url(shown: str) -> InvalidInputError:
    return InvalidInputError(f"store {shown!r} is neither a path nor an SQLAlchemy URL such as sqlite:////var/x.db")


def _without_password(text_form: str) -> str:
    """Hide what may be a password in text that is no URL."""
    return re.sub(r"(://[^:@/]*):.*@", r"\1:***@", text_form, flags=re.DOTALL)


def _bring_up_to_date(engine: Engine, shown: str, *, read_only: bool) -> None:
    with engine.connect() as connection:
        version = _version(connection, shown)
    if version == HEAD:
        return
    if read_only:
        raise StoreError(
            f"store {shown} has older tables ({version or 'none'}): `logwarden up` or `detect` updates them"
        )
    with for_writing(engine).begin() as connection:
        if connection.dialect.name == "postgresql":
            postgresql.lock_for_migration(connection)
        # Another process may have done it while this one waited for the lock.
        if _version(connection, shown) != HEAD:
            upgrade(connection)


def _version(connection: Connection, shown: str) -> str | None:
    """Return the revision of the tables, None for an empty database."""
    names = inspect(connection).get_table_names()
    if "alembic_version" not in names:
        if names:
            raise StoreError(f"store {shown} is a database of something else (table {names[0]!r}): give another one")
        return None
    version = connection.scalar(text("SELECT version_num FROM alembic_version"))
    if version is not None and version > HEAD:
        raise StoreError(f"store {shown} was written by a newer Logwarden (tables {version}): upgrade this one")
    return str(version) if version is not None else None
