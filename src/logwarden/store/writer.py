"""Write transactions, which outlive a restart of the database."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from logwarden.store import postgresql
from logwarden.store.errors import explain_failure

PATIENCE_SECONDS: Final = 60.0
"""So long a write waits for a PostgreSQL that is away."""

_PAUSE_SECONDS: Final = 0.5
_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")


class Writer:
    """Runs functions that write, each in a transaction of its own, exactly once.

    When the connection breaks at the commit, nobody knows whether it happened. PostgreSQL is asked, by the number of
    the transaction: counts of lines are increments, and must not be added twice.
    """

    def __init__(self, engine: Engine, url: str) -> None:
        self._engine = engine
        self._url = url
        self._can_wait = engine.dialect.name == "postgresql"

    def __call__(self, work: Callable[[Connection], _Result], *, patience: float = PATIENCE_SECONDS) -> _Result:
        """Return what ``work`` returns, after the commit.

        ``work`` may be called several times, always in a new transaction after the one before was undone.

        Raises
        ------
        StoreError
            If the database refuses it, or is away for longer than ``patience`` seconds.
        """
        until = time.monotonic() + patience
        while True:
            number = 0
            try:
                with self._engine.begin() as connection:
                    result = work(connection)
                    number = postgresql.transaction_number(connection) if self._can_wait else 0
                return result
            except DBAPIError as error:
                if not self._try_again(error, until):
                    raise explain_failure(error, self._url) from error
            if number and self._was_committed(number, until):
                return result

    def _was_committed(self, number: int, until: float) -> bool:
        while True:
            try:
                with self._engine.connect() as connection:
                    status = postgresql.transaction_status(connection, number)
                if status != "in progress":
                    return status == "committed"
                time.sleep(_PAUSE_SECONDS)
            except DBAPIError as error:
                if not self._try_again(error, until):
                    raise explain_failure(error, self._url) from error

    def _try_again(self, error: DBAPIError, until: float) -> bool:
        """Wait a moment, if trying again may help."""
        if not self._can_wait or not postgresql.is_passing(error) or time.monotonic() > until:
            return False
        _log.warning("%s; trying again", explain_failure(error, self._url))
        time.sleep(_PAUSE_SECONDS)
        return True
