"""How far each file was sent, in a file that survives a break."""

from __future__ import annotations

import fcntl
import json
import os
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

from logwarden.errors import InvalidInputError, LogwardenError

_VERSION = 1
_MOST_FILES = 10_000


@dataclass
class Progress:
    """How far one file was sent.

    Attributes
    ----------
    id
        Names the file in the keys of its requests; made anew when it is sent from its start.
    path
        Where it was.
    done
        Bytes of the unpacked file that were acknowledged.
    head, tail
        Hashes of the first and last of these bytes.
    sending
        End of the part that was on its way, or ``done``.
    """

    id: str
    path: str
    done: int = 0
    head: str = ""
    tail: str = ""
    sending: int = 0

    def key(self, start: int, end: int) -> str:
        """Return the Idempotency-Key of a part."""
        return f"{self.id}-{start}-{end}"


def new_progress(path: str) -> Progress:
    """Return the progress of a file of which nothing was sent."""
    return Progress(uuid.uuid4().hex, path)


class State:
    """The progress of all files sent to one endpoint; one process at a time has it open.

    Raises
    ------
    InvalidInputError
        If the file is none of ours.
    LogwardenError
        If another process has it open, or it cannot be written.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._lock = _lock(file.with_name(file.name + ".lock"))
            self._files = _load(file)
        except OSError as error:
            raise LogwardenError(f"{file}: {error.strerror}: choose another file with --state") from None

    def candidates(self, path: str) -> list[Progress]:
        """Return files of which something was sent, the one at this path first."""
        return sorted((one for one in self._files if one.done or one.sending), key=lambda one: one.path != path)

    def forget(self, path: str) -> None:
        """Forget what was at a path."""
        self._files = [one for one in self._files if one.path != path]

    def save(self, progress: Progress) -> None:
        """Remember the progress of a file."""
        self._files = [one for one in self._files if one.id != progress.id]
        self._files = [*self._files[-_MOST_FILES + 1 :], progress]
        data = json.dumps({"version": _VERSION, "files": [asdict(one) for one in self._files]}, indent=1)
        new = self._file.with_name(self._file.name + ".new")
        try:
            new.write_text(data, encoding="utf-8")
            os.replace(new, self._file)  # noqa: PTH105 - Path.replace says the same
        except OSError as error:
            raise LogwardenError(f"{self._file}: {error.strerror}: choose another file with --state") from None

    def close(self) -> None:
        """Let others open it."""
        self._lock.close()


def _load(file: Path) -> list[Progress]:
    if not file.exists():
        return []
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        if data["version"] != _VERSION:
            raise InvalidInputError(
                f"{file} was written by another version of Logwarden (format {data['version']}): remove it, or choose "
                "another with --state"
            )
        return [Progress(**one) for one in data["files"]]
    except (ValueError, TypeError, KeyError):
        raise InvalidInputError(f"{file} is no state of an upload: remove it, or choose another with --state") from None


def _lock(file: Path) -> TextIO:
    handle = file.open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        raise LogwardenError("another upload to this endpoint runs: wait for it, or choose --state FILE") from None
    return handle
