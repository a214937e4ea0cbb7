"""Resume points: what a killed run needs to go on as if nothing had happened."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch


@dataclass(slots=True)
class Checkpoint:
    """The newest state of one run, in a folder of its own that is named after the run's fingerprint."""

    folder: Path
    every_seconds: float
    _written: float = field(default_factory=time.monotonic)

    @property
    def _path(self) -> Path:
        return self.folder / "state.pt"

    def load(self) -> dict[str, Any] | None:
        """Return the last state saved, its tensors on the CPU, or None."""
        if not self._path.is_file():
            return None
        state: dict[str, Any] = torch.load(self._path, map_location="cpu", weights_only=True)
        return state

    @property
    def due(self) -> bool:
        """True when the last save is long enough ago."""
        return time.monotonic() - self._written >= self.every_seconds

    def save(self, state: dict[str, Any]) -> None:
        """Write the state under a temporary name, then rename it: a kill leaves the old one or the new one."""
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = self.folder / f"state.{os.getpid()}.tmp"
        with temporary.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)
        self._written = time.monotonic()

    def remove(self) -> None:
        """Delete the state once the run's output stands."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with suppress(OSError):  # resume points of other runs are still there
            self.folder.parent.rmdir()
