"""A folder for data that a training fetched, kept until the training is over."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from logwarden.errors import InvalidInputError

Say = Callable[[str], None]
"""Takes a line for the person who waits."""

_DONE = "fetched.json"


@contextmanager
def kept_until_done(folder: Path) -> Iterator[Path]:
    """Keep what is fetched into a folder until the block is through, or fails for a wrong input.

    A training that is killed meanwhile finds the same data when it is run again, and so goes on where it was.
    """
    try:
        yield folder
    except InvalidInputError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    else:
        shutil.rmtree(folder, ignore_errors=True)


def fetch_once(folder: Path, places: list[str], fetch: Callable[[], None], say: Say) -> None:
    """Let ``fetch`` fill a folder with what is at ``places``, unless a run that was broken off later has done so."""
    mark = folder / _DONE
    if (done := _read(mark)) is not None and done.get("places") == places:
        moment = datetime.fromtimestamp(done["time"], UTC)
        say(f"going on with what was fetched from {', '.join(places)} at {moment:%F %T} UTC")
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    now = time.time()
    fetch()
    mark.write_text(json.dumps({"time": now, "places": places}), encoding="utf-8")


def _read(mark: Path) -> dict[str, Any] | None:
    try:
        done: dict[str, Any] = json.loads(mark.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return done
