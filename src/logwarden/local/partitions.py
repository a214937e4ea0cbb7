"""How far the partitions of a process have come, for the pages."""

from __future__ import annotations

from logwarden.store import PartitionStatus
from logwarden.streaming.partitions import PartitionedDetection


def partition_statuses(detection: PartitionedDetection) -> tuple[PartitionStatus, ...]:
    """Return how far each partition of this process goes, and how far it has come."""
    lag = detection.lag()
    return tuple(
        PartitionStatus(
            stream=f"{detection.topic}/{number}", end=one.loop.place + lag.get(number, 0), stored=one.loop.stored
        )
        for number, one in sorted(detection.partitions.items())
    )
