"""A data set in three parts, in time order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from logwarden.datasets.recording import Recording

PARTS = ("train", "validation", "test")
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Dataset:
    """Recordings for training, validation and testing, each later than the ones before.

    ``split`` says in words how they were divided.
    """

    uri: str
    format: str
    split: str
    train: list[Recording]
    validation: list[Recording]
    test: list[Recording]

    @property
    def labelled(self) -> bool:
        """Whether faults are known in any recording."""
        return any(recording.labelled for recording in [*self.train, *self.validation, *self.test])

    def part(self, name: str) -> list[Recording]:
        """Return the recordings of ``train``, ``validation`` or ``test``."""
        parts = dict(zip(PARTS, (self.train, self.validation, self.test), strict=True))
        return parts[name]

    def sha256(self) -> str:
        """Hash the content of its files, in order."""
        digest = sha256()
        files = [file for name in PARTS for recording in self.part(name) for file in recording.lines.files]
        for path in dict.fromkeys(files):
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
        return digest.hexdigest()


def together(datasets: Sequence[Dataset], name: str) -> list[Recording]:
    """Return the recordings of one part of several data sets."""
    return [recording for dataset in datasets for recording in dataset.part(name)]


def summary(recordings: Iterable[Recording], longest: int = 400) -> str:
    """Name recordings in at most ``longest`` characters."""
    text = ", ".join(recording.name for recording in recordings)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
