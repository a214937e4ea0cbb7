"""Recordings of the lab: raw lines with the time and the address they were received from.

A recording is a folder with ``meta.json`` and ``lines.log`` or ``lines.log.gz``. Each line of that file is
``RFC3339-TIME TAB ADDRESS TAB udp|tcp TAB RAW LINE``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[^\t ]*\t[0-9A-Fa-f.:%]*\t(?:udp|tcp)\t")
_NAMES = ("lines.log", "lines.log.gz")


def is_recorded(line: str) -> bool:
    """Tell whether a line has the form of a recorded one."""
    return _LINE.match(line) is not None


def lines_file(folder: Path) -> Path | None:
    """Return the file with the lines of a recording, or None if ``folder`` is not a recording."""
    if not (folder / "meta.json").is_file():
        return None
    return next((folder / name for name in _NAMES if (folder / name).is_file()), None)


def take_apart(lines: Sequence[str], last: float = 0.0) -> tuple[list[float], list[str], list[str]]:
    """Split recorded lines into receive times (Unix seconds), addresses and raw lines.

    A line of another form is kept whole, with the receive time of the line before it (``last`` for the first) and
    no address.
    """
    times, peers, raw = [], [], []
    for line in lines:
        stamp, _, rest = line.partition("\t")
        peer, _, rest = rest.partition("\t")
        transport, _, text = rest.partition("\t")
        received = _seconds(stamp) if transport in ("udp", "tcp") else None
        if received is None:
            peer, text = "", line
        else:
            last = received
        times.append(last)
        peers.append(peer)
        raw.append(text)
    return times, peers, raw


def _seconds(stamp: str) -> float | None:
    try:
        time = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    return time.timestamp() if time.tzinfo else None
