"""Sends files, one part after the other, and remembers how far it came."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from logwarden.errors import InvalidInputError
from logwarden.sources.files import open_input
from logwarden.upload.client import Client
from logwarden.upload.parts import EDGE_BYTES, BrokenInputError, PartReader
from logwarden.upload.state import Progress, State, new_progress

STDIN = "-"


@dataclass
class Totals:
    """What became of the lines. ``skipped`` are bytes that an earlier run had sent."""

    files: int = 0
    accepted: int = 0
    rejected: int = 0
    skipped: int = 0


Advance = Callable[[int], None]
"""Takes the bytes of files on disk that were read since the last call."""


class Upload:
    """Sends files to an endpoint.

    Parameters
    ----------
    client, state
        How to send, and where progress is kept.
    from_start
        Send everything again.
    advance
        Told of progress.
    """

    def __init__(self, client: Client, state: State, *, from_start: bool = False, advance: Advance) -> None:
        self.totals = Totals()
        self._client = client
        self._state = state
        self._from_start = from_start
        self._advance = advance

    def send_all(self, paths: Sequence[str]) -> list[str]:
        """Send files in order; return what was wrong with those that could not be read to their end.

        Raises
        ------
        LogwardenError
            If the endpoint refuses lines or is away.
        """
        problems = []
        for path in paths:
            with ExitStack() as opened:
                try:
                    progress = self._find(path)
                    file = opened.enter_context(open_input(path))
                except InvalidInputError as error:
                    problems.append(str(error))
                    continue
                try:
                    self._send(PartReader(path, file), progress)
                except BrokenInputError as error:
                    problems.append(str(error))
            self.totals.files += 1
        return problems

    def _find(self, path: str) -> Progress:
        """Return how far a file was sent: it is known by its content, as its name may have changed."""
        absolute = path if path == STDIN else str(Path(path).absolute())
        if path == STDIN:
            return new_progress(STDIN)
        if self._from_start:
            self._state.forget(absolute)
            return new_progress(absolute)
        for known in self._state.candidates(absolute):
            if self._is_known(path, known):
                known.path = absolute
                return known
        return new_progress(absolute)

    def _is_known(self, path: str, known: Progress) -> bool:
        if not known.done:  # its first part may have been taken or not; only the path tells
            return known.path == str(Path(path).absolute())
        with open_input(path) as file:
            reader = PartReader(path, file)
            if not reader.skip(min(EDGE_BYTES, known.done)) or reader.edges.head != known.head:
                return False  # told without reading on, as there may be many
            return reader.skip(known.done) and reader.edges.tail == known.tail

    def _send(self, reader: PartReader, progress: Progress) -> None:
        reader.skip(progress.done)
        self.totals.skipped += progress.done
        told = self._tell(reader, 0)
        for part in reader.parts(progress.sending if progress.sending > progress.done else None):
            progress.sending = part.end
            self._save(progress)
            answer = self._client.send(part.body, progress.key(part.start, part.end))
            self.totals.accepted += answer.accepted
            self.totals.rejected += answer.rejected
            progress.done, (progress.head, progress.tail) = part.end, reader.edges
            self._save(progress)
            told = self._tell(reader, told)

    def _tell(self, reader: PartReader, told: int) -> int:
        self._advance(reader.disk_place - told)
        return reader.disk_place

    def _save(self, progress: Progress) -> None:
        if progress.path != STDIN:
            self._state.save(progress)
