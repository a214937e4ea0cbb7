"""The plain values that go into and come out of a store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from logwarden.api.record import Severity


@dataclass(frozen=True, slots=True)
class AnomalyFilter:
    """Which anomalies to list; what is left empty does not restrict.

    ``start`` (inclusive) and ``end`` (exclusive) bound the time of the first line. ``text`` holds words that must all
    occur, as whole words or beginnings of words, in the host, the program, the lines, the template or the explanation.
    """

    start: datetime | None = None
    end: datetime | None = None
    hosts: Sequence[str] = ()
    apps: Sequence[str] = ()
    severities: Sequence[Severity] = ()
    min_score: float = 0.0
    text: str = ""
    case_id: str | None = None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a consumer has come: the next position to read of every stream, and its own state as it saved it."""

    positions: dict[str, int] = field(default_factory=dict)
    state: bytes | None = None


class Totals(NamedTuple):
    """What the store holds. ``first`` and ``last`` bound the times of lines and anomalies, None without any."""

    lines: int
    units: int
    anomalies: int
    cases: int
    rejected: int
    first: datetime | None
    last: datetime | None


class ActivityPoint(NamedTuple):
    """Lines in one interval."""

    start: datetime
    lines: int


class AnomalyCount(NamedTuple):
    """Anomalies of one severity in one interval."""

    start: datetime
    severity: Severity
    anomalies: int


class HostSummary(NamedTuple):
    """One host with its anomalies and lines; ``severity`` is the worst one, None without anomalies."""

    host: str
    anomalies: int
    lines: int
    severity: Severity | None


class NewHost(NamedTuple):
    """One host with its lines; ``first`` and ``last`` say when the first and the last of them were stored."""

    host: str
    lines: int
    first: datetime
    last: datetime


class RejectedRow(NamedTuple):
    """A line that could not be processed, as kept. ``received`` is None where the source does not know it."""

    stream: str
    position: int
    received: datetime | None
    peer: str | None
    reason: str
    text: str


class Pruned(NamedTuple):
    """How much a retention run removed."""

    anomalies: int
    cases: int
    rejected: int
    activity: int


class Phase(StrEnum):
    """What a running pipeline is doing."""

    REPLAYING = "replaying"
    LISTENING = "listening"
    STOPPED = "stopped"


class _Status(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class ListenerStatus(_Status):
    """A port on which a pipeline takes lines: ``protocol`` is ``udp``, ``tcp``, ``tls``, ``http`` or ``https``."""

    name: str
    protocol: str
    address: str
    port: int
    command: str = Field("", description="Command that sends a line; empty where another listener's says as much.")
    received: int = Field(0, description="Messages handed on since the start.")
    malformed: int = Field(0, description="Those among them that could not be taken apart.")
    dropped: int = Field(0, description="Datagrams lost, by us or by the kernel.")
    refused: int = Field(0, description="Connections and requests over a limit, without leave, or broken.")


class PartitionStatus(_Status):
    """A partition that a detector has: where it ends (offset), and up to where results are stored."""

    stream: str
    end: int
    stored: int


class Progress(_Status):
    """How far a replay has come, in lines; ``total`` is None when it is not known."""

    done: int = 0
    total: int | None = None


class PipelineStatus(_Status):
    """What a running pipeline says about itself; it repeats it every few seconds, so that an old one means trouble."""

    pipeline: str
    instance: str = Field("", description="Which process says it; empty where a pipeline is always one process.")
    processes: int = Field(1, description="How many say it together.")
    phase: Phase
    revision: str = ""
    listeners: tuple[ListenerStatus, ...] = ()
    partitions: tuple[PartitionStatus, ...] = ()
    progress: Progress | None = None
    detail: str = Field("", description="One sentence for a person on what is wrong.")
    note: str = Field("", description="One sentence for a person on what is no fault, such as what is replayed.")
    updated: datetime = Field(default_factory=lambda: datetime.now(UTC))


def together(statuses: Sequence[PipelineStatus]) -> PipelineStatus:
    """Return what several processes of one pipeline say as one status; the newest comes first."""
    running = [status for status in statuses if status.phase is not Phase.STOPPED] or list(statuses[:1])
    newest = running[0]
    if len(running) == 1:
        return newest
    listeners = {(one.name, status.instance): one for status in running for one in status.listeners}
    # A partition may just have moved: who reported last has it.
    partitions = {one.stream: one for status in reversed(running) for one in status.partitions}
    return newest.model_copy(
        update={
            "processes": len(running),
            "listeners": tuple(listeners.values()),
            "partitions": tuple(partitions[stream] for stream in sorted(partitions)),
            "detail": "; ".join(dict.fromkeys(status.detail for status in running if status.detail)),
        }
    )
