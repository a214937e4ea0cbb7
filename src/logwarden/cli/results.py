"""What the commands that read the local store share."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from logwarden.store import Store

STYLES: Final = {"critical": "bold red", "warning": "yellow", "info": "blue"}

StoreOption = Annotated[
    str | None,
    typer.Option(
        envvar="LOGWARDEN_STORE",
        help="Path or SQLAlchemy URL of the store; default: the one that `logwarden up` uses.",
        show_default=False,
    ),
]

SHOWN_OF_ID: Final = 12
"""Characters of an anomaly's id that are shown: `explain` takes the beginning of an id."""

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")


def open_store(location: str | None) -> Store:
    """Open a store for reading; None means the one of this user."""
    from logwarden.store import Store, default_store_path

    return Store.open(location or default_store_path(), read_only=True)


def printable(text: str) -> str:
    r"""Return text that is safe on a terminal: a log line may hold escape sequences, shown as ``\x1b`` instead."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def counted(count: int, one: str, many: str) -> str:
    """Return a number with its noun: ``1 anomaly``, ``2,140 anomalies``."""
    return f"{count:,} {one if count == 1 else many}"


def local_time(moment: datetime) -> str:
    """Return a time in the zone of this machine."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")
