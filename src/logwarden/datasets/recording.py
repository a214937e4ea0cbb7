"""A recording: lines in time order, and the incidents that are known to lie in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

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


class Lines(Protocol):
    """Where the lines of a recording are."""

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that hold them."""

    def batches(self) -> Iterator[Batch]:
        """Read them in order."""


@dataclass(frozen=True, slots=True)
class FileLines:
    """The lines of a file from the 1-based number ``first`` to ``last``; 0 stands for its end."""

    path: Path
    first: int = 1
    last: int = 0

    @property
    def files(self) -> tuple[Path, ...]:
        """The one file."""
        return (self.path,)

    def batches(self) -> Iterator[Batch]:
        """Read the lines."""
        for batch in read_files([self.path]):
            if self.last and batch.positions[0] > self.last:
                return
            kept = range(
                max(0, self.first - batch.positions[0]),
                min(len(batch.lines), self.last - batch.positions[0] + 1) if self.last else len(batch.lines),
            )
            if kept:
                yield batch if len(kept) == len(batch.lines) else part(batch, kept)


def part(batch: Batch, kept: Iterable[int]) -> Batch:
    """Return the lines of a batch at these indices."""
    kept = list(kept)
    return replace(
        batch,
        positions=[batch.positions[i] for i in kept],
        lines=[batch.lines[i] for i in kept],
        received=None if batch.received is None else [batch.received[i] for i in kept],
        peers=None if batch.peers is None else [batch.peers[i] for i in kept],
    )


@dataclass(frozen=True, slots=True)
class Recording:
    """One recorded run: lines, what is known to have gone wrong in them, and how long it lasted.

    Attributes
    ----------
    name
        Unique within its data set.
    lines
        Where the lines are.
    incidents
        Faults and maintenance, by time and hosts.
    started, ended
        Unix seconds.
    days
        Length in the recording's own days: a lab may let a day pass in minutes.
    labelled
        Whether faults are known at all. What is not labelled counts as normal.
    anomalous_sessions
        Keys of the sessions that went wrong, where labels are by session.
    """

    name: str
    lines: Lines
    incidents: tuple[Incident, ...]
    started: float
    ended: float
    days: float
    labelled: bool = True
    anomalous_sessions: frozenset[str] = frozenset()

    @property
    def faults(self) -> list[Incident]:
        """The incidents that a detector should find."""
        return [incident for incident in self.incidents if incident.fault]

    @property
    def fault_count(self) -> int:
        """How many faults and anomalous sessions there are."""
        return len(self.faults) + len(self.anomalous_sessions)

    def is_normal(self, host: str, start: float, end: float, session: str | None = None) -> bool:
        """Whether no fault can have touched what ``host`` did from ``start`` to ``end``. Maintenance is normal."""
        if session in self.anomalous_sessions:
            return False
        return not any(fault.covers(host, start, end) for fault in self.faults)

    def batches(self) -> Iterator[Batch]:
        """Read the lines."""
        return self.lines.batches()
