"""A recording: lines in time order, and the incidents that are known to lie in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from logwarden.events import Batch
from logwarden.sources.files import read_files


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that was done to the network: a fault, or maintenance that is none.

    ``start``, ``end`` and ``recovered`` are Unix seconds: injected, cleaned up, back to normal. ``affected`` names
    every host whose logs may show it. ``held_out`` says that training recordings have none of this kind.
    """

    id: str
    kind: str
    fault: bool
    affected: frozenset[str]
    start: float
    end: float
    recovered: float
    held_out: bool

    def covers(self, host: str, start: float, end: float) -> bool:
        """Whether something that ``host`` did from ``start`` to ``end`` may come from this incident."""
        return host in self.affected and start <= self.recovered and end >= self.start


@dataclass(frozen=True, slots=True)
class Recording:
    """One recorded run: a file of lines, its incidents, and how long it lasted.

    ``days`` is the length in the recording's own days: a lab may let a day pass in minutes.
    """

    name: str
    path: Path
    incidents: tuple[Incident, ...]
    started: float
    ended: float
    days: float

    @property
    def faults(self) -> list[Incident]:
        """The incidents that a detector should find."""
        return [incident for incident in self.incidents if incident.fault]

    def is_normal(self, host: str, start: float, end: float) -> bool:
        """Whether no fault can have touched what ``host`` did from ``start`` to ``end``. Maintenance is normal."""
        return not any(fault.covers(host, start, end) for fault in self.faults)

    def batches(self) -> Iterator[Batch]:
        """Read the lines."""
        return read_files([self.path])
