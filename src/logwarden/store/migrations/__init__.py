"""Changes of the tables over time, run with Alembic whenever a store is opened for writing.

To change the tables: edit ``tables.py``, add a module to ``versions/`` whose revision is the next number, and set
:data:`HEAD` to it. A test compares the migrated database with ``tables.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Connection

HEAD: Final = "0004"


def upgrade(connection: Connection) -> None:
    """Bring the database to :data:`HEAD` within the caller's transaction."""
    # Alembic is imported only when there is something to do: opening a store is part of starting a command.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, HEAD)
