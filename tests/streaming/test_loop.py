"""The detector loop over a real spool, detector and store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from logwarden.detect import DetectionModel, Detector
from logwarden.outcome import Outcome
from logwarden.sources.base import Item
from logwarden.sources.spool import STREAM, Spool, SpoolReader
from logwarden.store import CheckpointMovedError, Store, StoreError
from logwarden.streaming.latency import Latency
from logwarden.streaming.loop import DetectorLoop, Track, resume_at
from tests.local.conftest import contents, raw_lines

TRACK = Track.of_spool("test")
NewLoop = Callable[..., DetectorLoop]


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """The folder of a spool with lines of two listeners, ticks between them, broken messages and an end."""

    class Clock:
        time = 0.0

        def now(self) -> float:
            return self.time

    clock = Clock()
    folder = tmp_path / "spool"
    rows = raw_lines()
    clock.time = rows[0][0]
    with Spool(folder, clock=clock) as spool:
        for start in range(0, len(rows), 100):
            part = rows[start : start + 100]
            clock.time = part[0][0]
            listener = "udp" if start % 200 else "tcp"
            spool.append(listener, [line.encode() for _, line in part], "10.0.0.1", received=[at for at, _ in part])
            if start % 1000 == 0:
                spool.append("tcp", [b"half a"], "10.0.0.9", reason="connection closed")
            spool.durable().result(10)
        spool.end("over")
    return folder


class BlockByBlock(SpoolReader):
    """Reads one block at a time."""

    def read(self, block: int, *, max_lines: int = 1, timeout: float = 0.0) -> tuple[list[Item], int]:
        return super().read(block, max_lines=1, timeout=timeout)


@pytest.fixture
def new_loop(spool: Path, model: DetectionModel) -> Iterator[NewLoop]:
    """Make a loop as after a start of the process."""
    with ExitStack() as opened:

        def make(store: Store, reader: type[SpoolReader] = SpoolReader, **options: Any) -> DetectorLoop:
            source = reader(spool)
            opened.callback(source.close)
            return DetectorLoop(source, Detector(model, "test"), store, TRACK, **options)

        yield make


def run_to_the_end(loop: DetectorLoop) -> None:
    while loop.step(0):
        pass
    loop.commit()


def test_everything_is_processed_once_and_nothing_is_lost(tmp_path: Path, new_loop: NewLoop) -> None:
    with Store.open(tmp_path / "store.db") as store:
        loop = new_loop(store)
        run_to_the_end(loop)
        rows = len(raw_lines())
        broken = (rows + 999) // 1000
        assert store.totals().lines == rows + broken
        assert [row.reason for row in store.rejected()] == ["connection closed"] * broken
        assert store.totals().anomalies > 0
        assert resume_at(store, TRACK) == (rows + broken, loop.place)
        assert store.checkpoint("test").positions[STREAM] == rows + broken
        assert loop.ended == {"over"}
        assert {record.origin.listener for record in store.anomalies()} <= {"udp", "tcp"}


@pytest.mark.parametrize("every", [1, 3, 7])
def test_a_loop_that_is_cut_anywhere_ends_with_the_same_results(tmp_path: Path, new_loop: NewLoop, every: int) -> None:
    """Each loop reads some blocks more than it commits, as a killed process does."""
    with Store.open(tmp_path / "whole.db") as store:
        run_to_the_end(new_loop(store))
    with Store.open(tmp_path / "cut.db") as store:
        more = True
        while more:
            loop = new_loop(store, BlockByBlock)
            more = all([loop.step(0) for _ in range(every)])  # noqa: C419 - all of them are to be read
            loop.commit()
            loop.step(0)  # processed, not committed
    assert contents(tmp_path / "cut.db") == contents(tmp_path / "whole.db")


def test_results_wait_while_the_store_refuses(
    tmp_path: Path, new_loop: NewLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store.open(tmp_path / "whole.db") as store:
        run_to_the_end(new_loop(store))
    with Store.open(tmp_path / "store.db") as store:
        loop = new_loop(store)
        whole_commit = store.commit

        def refuse(*_: object, **__: object) -> None:
            raise StoreError("the disk is full")

        monkeypatch.setattr(store, "commit", refuse)
        while loop.step(0):
            pass
        loop.commit()
        assert loop.problem == "the disk is full"
        reached = loop.place
        assert not loop.step(0)
        assert loop.place == reached, "it reads on although it cannot store"
        with pytest.raises(StoreError, match="the disk is full"):
            loop.finish(reached)
        assert store.totals().lines == 0
        monkeypatch.setattr(store, "commit", whole_commit)
        run_to_the_end(loop)
        assert loop.problem == ""
    assert contents(tmp_path / "store.db") == contents(tmp_path / "whole.db")


def test_a_commit_whose_answer_was_lost_is_not_taken_for_one_of_another_process(
    tmp_path: Path, new_loop: NewLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store.open(tmp_path / "whole.db") as store:
        run_to_the_end(new_loop(store))
    with Store.open(tmp_path / "store.db") as store:
        loop = new_loop(store, commit_seconds=0.0)
        whole_commit = store.commit

        def lose_the_answer(*arguments: Any, **options: Any) -> None:
            monkeypatch.setattr(store, "commit", whole_commit)
            whole_commit(*arguments, **options)
            raise StoreError("the connection broke")

        monkeypatch.setattr(store, "commit", lose_the_answer)
        while not loop.problem and loop.step(0):
            pass
        assert loop.problem == "the connection broke"
        run_to_the_end(loop)
        assert loop.problem == ""
    assert contents(tmp_path / "store.db") == contents(tmp_path / "whole.db")


def test_a_commit_tells_what_it_stored(tmp_path: Path, new_loop: NewLoop) -> None:
    told: list[tuple[Outcome, int]] = []
    with Store.open(tmp_path / "store.db") as store:
        loop = new_loop(store, committed=lambda outcome, block: told.append((outcome, block)))
        run_to_the_end(loop)
        assert sum(len(outcome.records) for outcome, _ in told) == store.count()
        assert told[-1][1] == loop.place


def test_who_was_overtaken_stores_nothing_more(tmp_path: Path, new_loop: NewLoop) -> None:
    with Store.open(tmp_path / "whole.db") as store:
        run_to_the_end(new_loop(store, BlockByBlock))
    with Store.open(tmp_path / "store.db") as store:
        paused = new_loop(store, BlockByBlock)
        for _ in range(20):
            paused.step(0)
        successor = new_loop(store, BlockByBlock)
        run_to_the_end(successor)
        before = contents(tmp_path / "store.db")
        for step in (paused.commit, lambda: run_to_the_end(paused)):
            with pytest.raises(CheckpointMovedError, match="another process has taken over netlogs-raw/0 as test"):
                step()
        assert contents(tmp_path / "store.db") == before == contents(tmp_path / "whole.db")


def test_every_line_is_counted_by_what_became_of_it(tmp_path: Path, new_loop: NewLoop) -> None:
    with Store.open(tmp_path / "store.db") as store:
        latency = Latency()
        run_to_the_end(new_loop(store, latency=latency))
        rows, broken = len(raw_lines()), store.totals().rejected
        assert store.counters("scored/") == {"scored/netlogs-raw/0": rows}
        assert store.counters("rejected/") == {"rejected/netlogs-raw/0": broken}
        assert sum(store.counters("received/").values()) == rows
        counts, seconds = latency.read()
        assert sum(counts) == rows
        assert counts[-1] == rows, "they were received in March"
        assert seconds > rows
