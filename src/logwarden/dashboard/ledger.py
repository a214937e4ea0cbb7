"""The ledger: what became of the lines of each source and each partition, and whether that is all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from logwarden.store import ListenerStatus, PipelineStatus

_KINDS = ("scored", "rejected", "lost")


class SourceRow(NamedTuple):
    """One listener. ``received`` lines have come to a detector; ``dropped`` ones were lost before, since the start."""

    name: str
    received: int
    malformed: int | None
    dropped: int | None


class StreamRow(NamedTuple):
    """One partition, or the spool. ``in_kafka`` is its end offset, ``waiting`` what stands behind the stored one."""

    name: str
    in_kafka: int | None
    scored: int
    rejected: int
    lost: int
    waiting: int | None


class Ledger(NamedTuple):
    """Both sides, and the ``lost`` lines of both."""

    sources: list[SourceRow]
    streams: list[StreamRow]
    lost: int


def ledger(counters: Mapping[str, int], status: PipelineStatus | None) -> Ledger:
    """Return the ledger.

    Parameters
    ----------
    counters
        All counters of the store.
    status
        Of the running pipeline; None where none runs.
    """
    listeners = {one.name: one for one in status.listeners} if status is not None else {}
    received = _of("received", counters)
    sources = [_source(name, received.get(name, 0), listeners.get(name)) for name in sorted({*received, *listeners})]
    partitions = {one.stream: one for one in status.partitions} if status is not None else {}
    by_kind = {kind: _of(kind, counters) for kind in _KINDS}
    streams = []
    for name in sorted({*partitions, *(stream for counts in by_kind.values() for stream in counts)}, key=_by_number):
        scored, rejected, lost = (by_kind[kind].get(name, 0) for kind in _KINDS)
        one = partitions.get(name)
        end, waiting = (None, None) if one is None else (one.end, max(one.end - one.stored, 0))
        streams.append(StreamRow(name, end, scored, rejected, lost, waiting))
    dropped = sum(one.dropped or 0 for one in sources)
    return Ledger(sources, streams, dropped + sum(one.lost for one in streams))


def _source(name: str, received: int, listener: ListenerStatus | None) -> SourceRow:
    if listener is None:
        return SourceRow(name, received, None, None)
    return SourceRow(name, received, listener.malformed, listener.dropped)


def _of(kind: str, counters: Mapping[str, int]) -> dict[str, int]:
    prefix = f"{kind}/"
    return {name.removeprefix(prefix): value for name, value in counters.items() if name.startswith(prefix)}


def _by_number(stream: str) -> tuple[str, int]:
    topic, _, number = stream.rpartition("/")
    return (topic, int(number)) if number.isdecimal() else (stream, 0)
