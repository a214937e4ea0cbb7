"""The ledger of sources and partitions."""

from __future__ import annotations

from logwarden.dashboard.ledger import Ledger, SourceRow, StreamRow, ledger
from logwarden.store import ListenerStatus, PartitionStatus, Phase, PipelineStatus

COUNTERS = {
    "lines": 30,
    "received/udp": 20,
    "received/unknown": 8,
    "scored/raw/2": 10,
    "rejected/raw/2": 2,
    "scored/raw/10": 15,
    "lost/raw/10": 3,
}


def test_each_source_and_each_partition_has_its_row_and_what_was_lost_is_one_number() -> None:
    status = PipelineStatus(
        pipeline="campus",
        phase=Phase.LISTENING,
        listeners=(
            ListenerStatus(name="udp", protocol="udp", address="", port=1, received=21, malformed=2, dropped=4),
            ListenerStatus(name="tcp", protocol="tcp", address="", port=1),
        ),
        partitions=(
            PartitionStatus(stream="raw/2", end=14, stored=12),
            PartitionStatus(stream="raw/3", end=0, stored=0),
        ),
    )
    assert ledger(COUNTERS, status) == Ledger(
        [SourceRow("tcp", 0, 0, 0), SourceRow("udp", 20, 2, 4), SourceRow("unknown", 8, None, None)],
        [
            StreamRow("raw/2", 14, 10, 2, 0, 2),
            StreamRow("raw/3", 0, 0, 0, 0, 0),
            StreamRow("raw/10", None, 15, 0, 3, None),
        ],
        lost=7,
    )


def test_without_a_running_pipeline_the_counts_stay() -> None:
    found = ledger(COUNTERS, None)
    assert [one.name for one in found.streams] == ["raw/2", "raw/10"]
    assert found.lost == 3
    assert ledger({}, None) == Ledger([], [], 0)
