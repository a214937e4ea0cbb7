"""Keeps what detection found: anomaly records, cases, rejected lines, activity and how far each consumer has come.

SQLite on one machine; the tables and statements are written so that PostgreSQL can take its place. See docs/store.md.
"""

from __future__ import annotations

from logwarden.store.location import default_store_path
from logwarden.store.store import CheckpointMovedError, Store, StoreError
from logwarden.store.values import (
    ActivityPoint,
    AnomalyCount,
    AnomalyFilter,
    Checkpoint,
    HostSummary,
    ListenerStatus,
    NewHost,
    PartitionStatus,
    Phase,
    PipelineStatus,
    Progress,
    Pruned,
    RejectedRow,
    Totals,
)

__all__ = [
    "ActivityPoint",
    "AnomalyCount",
    "AnomalyFilter",
    "Checkpoint",
    "CheckpointMovedError",
    "HostSummary",
    "ListenerStatus",
    "NewHost",
    "PartitionStatus",
    "Phase",
    "PipelineStatus",
    "Progress",
    "Pruned",
    "RejectedRow",
    "Store",
    "StoreError",
    "Totals",
    "default_store_path",
]
