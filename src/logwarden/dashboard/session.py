"""What all pages share: the store, errors in words, and queries that run only when something changed."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import streamlit as st

from logwarden.dashboard.process import STORE_VARIABLE
from logwarden.errors import LogwardenError
from logwarden.store import Store, default_store_path

T = TypeVar("T")
_log = logging.getLogger(__name__)


def store_location() -> str:
    """Return where the store is, as whoever started this process said."""
    return os.environ.get(STORE_VARIABLE) or str(default_store_path())


@st.cache_resource(show_spinner=False)
def open_store(location: str) -> Store:
    """Return the store that all sessions of this process share.

    Raises
    ------
    StoreError
        There is none yet, or it cannot be used. The pages never make one: an empty page would look as if all was well.
    """
    Store.open(location, read_only=True).close()
    return Store.open(location)


@contextmanager
def errors_in_words() -> Iterator[None]:
    """Show what went wrong as a sentence; details of the unexpected go to the log."""
    try:
        yield
    except LogwardenError as error:
        st.error(str(error), icon=":material/error:")
    except Exception:
        _log.exception("page failed")
        st.error("This part of the page failed. The reason is in the dashboard's log; reload to try again.")


def cached(key: str, version: Hashable, query: Callable[[], T]) -> T:
    """Return the last result of a query of this session, or a new one when ``version`` is another."""
    kept: tuple[Hashable, Any] | None = st.session_state.get(f"cached {key}")
    if kept is None or kept[0] != version:
        kept = (version, query())
        st.session_state[f"cached {key}"] = kept
    result: T = kept[1]
    return result
