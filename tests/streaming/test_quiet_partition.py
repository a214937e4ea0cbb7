"""A partition that falls silent: real time closes its last windows, whoever has it by then."""

from __future__ import annotations

from pathlib import Path

from confluent_kafka import Message

from logwarden.detect import DetectionModel, Detector
from logwarden.kafka import envelope
from logwarden.kafka.partition import PartitionSource
from logwarden.store import Store
from logwarden.streaming.loop import DetectorLoop, Track
from tests.local.conftest import contents, raw_lines

STREAM = "quiet/0"
_LINES = [(at, text) for at, text in raw_lines(minutes=9) if " dns1 " in text]  # silent from the fifth minute on


def messages() -> list[Message]:
    """Return the partition's messages."""
    return [
        Message(
            topic="quiet",
            partition=0,
            offset=offset,
            key=b"10.0.0.4",
            value=envelope.encode(text.encode(), received=at, peer="10.0.0.4", listener="udp"),
            timestamp=(1, int(at * 1000)),
        )
        for offset, (at, text) in enumerate(_LINES)
    ]


def open_loop(store: Store, model: DetectionModel) -> tuple[PartitionSource, DetectorLoop]:
    """Open the partition as a detector does that gets it."""
    source, detector = PartitionSource(STREAM), Detector(model, "test")
    loop = DetectorLoop(source, detector, store, Track.of_partition("test", STREAM))
    source.resume(loop.place, detector.clock(STREAM))
    return source, loop


def test_a_detector_that_stops_before_it_asks_for_the_end_leaves_the_last_window_to_the_next(
    tmp_path: Path, model: DetectionModel
) -> None:
    end, later = len(_LINES), _LINES[-1][0] + 40.0
    with Store.open(tmp_path / "whole.db") as store:
        source, loop = open_loop(store, model)
        source.feed(messages())
        loop.step(0)
        source.pass_time(end, later)
        loop.step(0)
        loop.commit()
    with Store.open(tmp_path / "cut.db") as store:
        source, loop = open_loop(store, model)
        source.feed(messages())
        loop.step(0)
        loop.commit()
        cut = contents(tmp_path / "cut.db")
        assert (cut["lines"], cut["units"]) == (end, contents(tmp_path / "whole.db")["units"] - 1)
        source, loop = open_loop(store, model)
        source.pass_time(end, later)
        loop.step(0)
        loop.commit()
    assert contents(tmp_path / "cut.db") == contents(tmp_path / "whole.db")
