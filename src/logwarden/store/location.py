"""Where the store of this machine is when nobody says otherwise."""

from __future__ import annotations

import os
from pathlib import Path


def default_store_path() -> Path:
    """Return the store's path below the user's state folder, as the XDG Base Directory Specification names it.

    Only a command line calls this: it reads ``XDG_STATE_HOME``.
    """
    state_home = os.environ.get("XDG_STATE_HOME", "")
    base = Path(state_home) if state_home.startswith("/") else Path.home() / ".local" / "state"
    return base / "logwarden" / "logwarden.db"
