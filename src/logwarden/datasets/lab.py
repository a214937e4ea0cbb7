"""Read the lab's recordings (lab/README.md describes the format)."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from logwarden.datasets.chronological import Span, split_files
from logwarden.datasets.dataset import PARTS, Dataset
from logwarden.datasets.recording import FileLines, Incident, Recording
from logwarden.errors import InvalidInputError

LAB = "lab"
"""Stands for the recordings in the repository."""

_PACKAGED = Path(__file__).resolve().parents[3] / "lab" / "recordings"
_META = "meta.json"


def is_lab(folder: Path) -> bool:
    """Tell whether a folder holds a recording, or recordings named by their parts."""
    return (folder / _META).is_file() or any(folder.glob(f"{PARTS[0]}-*/{_META}"))


def load_lab(path: str) -> Dataset:
    """Read recordings.

    Parameters
    ----------
    path
        ``lab`` for the recordings in the repository, a folder with recordings named ``train-*``, ``validation-*`` and
        ``test-*``, or one recording, which is then divided by time.

    Raises
    ------
    InvalidInputError
        If there is no such recording, or one cannot be read.
    """
    root = _PACKAGED if path == LAB else Path(path)
    if (root / _META).is_file():
        parts = _divide(read_recording(root), path)
        return Dataset(path, LAB, "one recording, by time, 60 : 20 : 20 lines", *parts)
    return Dataset(path, LAB, "by recording, in time order", *(_named(root, part) for part in PARTS))


def _named(root: Path, part: str) -> list[Recording]:
    folders = sorted(path.parent for path in root.glob(f"{part}-*/{_META}"))
    if not folders:
        raise InvalidInputError(f"no recording named {part}-* with a {_META} in {root}: make one with `make lab`")
    return [read_recording(folder) for folder in folders]


def _divide(recording: Recording, path: str) -> tuple[list[Recording], list[Recording], list[Recording]]:
    train, validation, test = (
        [_stretch(recording, span) for span in spans] for spans in split_files(recording.lines.files, path)
    )
    return train, validation, test


def _stretch(recording: Recording, span: Span) -> Recording:
    """Return a part of a recording, with every incident that reaches into it."""
    share = (span.ended - span.started) / (recording.ended - recording.started)
    return replace(
        recording,
        name=f"{recording.name}:{span.first}-{span.last}",
        lines=FileLines(span.path, span.first, span.last),
        incidents=tuple(i for i in recording.incidents if i.start <= span.ended and i.recovered >= span.started),
        started=span.started,
        ended=span.ended,
        days=recording.days * share,
    )


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
    return Recording(folder.name, FileLines(lines), tuple(truth), started, ended, days)


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
