"""Read the lab's recordings (lab/README.md describes the format)."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from logwarden.datasets.recording import Incident, Recording
from logwarden.errors import InvalidInputError

_PACKAGED = Path(__file__).resolve().parents[3] / "lab" / "recordings"


def find_recordings(uri: str, part: str) -> list[Recording]:
    """Return the recordings of one part (``train``, ``validation`` or ``test``) in order of their names.

    Parameters
    ----------
    uri
        ``lab`` for the recordings in the repository, or a folder with recordings named ``<part>-<seed>``.

    Raises
    ------
    InvalidInputError
        If there is no such recording, or one cannot be read.
    """
    root = _PACKAGED if uri == "lab" else Path(uri.removeprefix("file://"))
    folders = sorted(path.parent for path in root.glob(f"{part}-*/meta.json"))
    if not folders:
        raise InvalidInputError(f"no recording named {part}-* with a meta.json in {root}: make one with `make lab`")
    return [read_recording(folder) for folder in folders]


def read_recording(folder: Path) -> Recording:
    """Read one recording's meta data and truth; its lines are read when asked for.

    Raises
    ------
    InvalidInputError
        If a file is missing or malformed.
    """
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        truth = [
            _incident(json.loads(line))
            for line in (folder / "truth.jsonl").read_text(encoding="utf-8").splitlines()
            if line.strip()
        ]
        started, ended = _seconds(meta["started"]), _seconds(meta["ended"])
        days = (ended - started) / meta["simulated_day_seconds"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInputError(f"{folder} is not a recording of the lab: {error!r}") from error
    lines = next((path for name in ("lines.log.gz", "lines.log") if (path := folder / name).is_file()), None)
    if lines is None:
        raise InvalidInputError(f"{folder} has neither lines.log.gz nor lines.log")
    return Recording(folder.name, lines, tuple(truth), started, ended, days)


def _incident(event: dict[str, Any]) -> Incident:
    return Incident(
        id=event["id"],
        kind=event["kind"],
        fault=event["type"] == "fault",
        affected=frozenset(event["hosts"]) | frozenset(event["affected"]),
        start=_seconds(event["start"]),
        end=_seconds(event["end"]),
        recovered=_seconds(event["recovered"]),
        held_out=event["held_out"],
    )


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
