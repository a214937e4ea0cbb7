"""The spool: what goes in comes out, across crashes, damage, retention and slow readers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from logwarden.errors import LogwardenError
from logwarden.events import Batch
from logwarden.sources.base import End, Item, Malformed, Tick
from logwarden.sources.spool import STREAM, Spool, SpoolLimits, SpoolReader
from logwarden.sources.spool_format import MAX_PAYLOAD, Kind, seal

from .conftest import wait_for

SMALL = SpoolLimits(disk_bytes=60_000, segment_bytes=10_000)


class SetClock:
    """A clock that the test sets."""

    def __init__(self, time: float) -> None:
        self.time = time

    def now(self) -> float:
        return self.time


def read_all(folder: Path, spool: Spool | None = None, start: int = 0) -> list[Item]:
    reader = SpoolReader(folder, spool)
    items: list[Item] = []
    while True:
        found, start = reader.read(start)
        if not found:
            reader.close()
            return items
        items += found


def batches(items: list[Item]) -> list[Batch]:
    return [item for item in items if isinstance(item, Batch)]


def lines(items: list[Item]) -> list[str]:
    return [line for batch in batches(items) for line in batch.lines]


def positions(items: list[Item]) -> list[int]:
    return [position for batch in batches(items) for position in batch.positions]


def next_position(folder: Path) -> int:
    """Position after the last line, as a later reader finds it."""
    return max((item.positions[-1] + 1 for item in read_all(folder) if isinstance(item, Batch | Malformed)), default=0)


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.spool"))


def test_lines_come_back_with_all_that_is_known_of_them(tmp_path: Path) -> None:
    clock = SetClock(1000.25)
    with Spool(tmp_path, clock=clock) as spool:
        spool.append("udp", [b"a", b"b \xff\n", b""], ["10.0.0.1", "10.0.0.2", "10.0.0.1"])
        spool.append("tcp", ["é".encode()], "::1")
        spool.append("http", [b"of yesterday"], "::1", late=True)
        spool.append("replay", [b"of last year"], "::2", received=[1000.25], shift=600.0)
        spool.append("tcp", [b"broken"], "::1", reason="bad frame")
        spool.end("over")
        spool.durable().result(10)
        items = [item for item in read_all(tmp_path, spool) if not isinstance(item, Tick)]
    udp, tcp, http, replay, malformed, end = items
    assert isinstance(udp, Batch)
    assert isinstance(tcp, Batch)
    assert isinstance(http, Batch)
    assert isinstance(replay, Batch)
    assert isinstance(malformed, Malformed)
    assert (udp.stream, udp.listener, list(udp.positions)) == (STREAM, "udp", [0, 1, 2])
    assert udp.lines == ["a", "b \udcff\n", ""]
    assert list(udp.received or ()) == [1000.25] * 3
    assert udp.peers == ["10.0.0.1", "10.0.0.2", "10.0.0.1"]
    assert (tcp.listener, tcp.peers, tcp.lines, list(tcp.positions)) == ("tcp", ["::1"], ["é"], [3])
    assert [batch.late for batch in (udp, tcp, http, replay)] == [False, False, True, False]
    assert [batch.shift for batch in (udp, tcp, http, replay)] == [0.0, 0.0, 0.0, 600.0]
    assert (replay.listener, replay.peers, replay.lines) == ("replay", ["::2"], ["of last year"])
    assert list(replay.received or ()) == [1000.25]
    assert malformed.positions == range(6, 7)
    (rejected,) = malformed.rejected
    assert (rejected.position, rejected.reason, rejected.text, rejected.peer) == (6, "bad frame", "broken", "::1")
    assert end == End("over")


def test_ticks_follow_the_clock_and_time_never_goes_back(tmp_path: Path) -> None:
    clock = SetClock(5000.0)
    with Spool(tmp_path, clock=clock) as spool:
        wait_for(lambda: spool.end_block == 1)
        spool.append("udp", [b"a"])
        spool.durable().result(10)
        clock.time = 4000.0
        spool.append("udp", [b"b"])
        spool.durable().result(10)
        clock.time = 5001.0
        wait_for(lambda: spool.end_block == 4)
        items = read_all(tmp_path, spool)
    assert [item.time for item in items if isinstance(item, Tick)] == [5000.0, 5001.0]
    assert [time for batch in batches(items) for time in batch.received or ()] == [5000.0, 5000.0]
    assert lines(items) == ["a", "b"]


def test_a_reopened_spool_goes_on_with_numbers_counts_and_time(tmp_path: Path) -> None:
    for round_ in range(3):
        with Spool(tmp_path, clock=SetClock(100.0 - round_)) as spool:
            spool.append("udp", [b"%d" % round_])
            spool.append("tcp", [b"x"], reason="bad")
            spool.end("udp")
    with Spool(tmp_path, clock=SetClock(0.0)) as spool:
        assert (spool.counts["udp"], spool.counts["tcp/malformed"], spool.counts["udp/end"]) == (3, 3, 3)
        assert next_position(tmp_path) == 6
        assert spool.last_time == 100.0
        items = read_all(tmp_path, spool)
    assert lines(items) == ["0", "1", "2"]
    assert positions(items) == [0, 2, 4]


def test_counts_survive_the_removal_of_old_segments(tmp_path: Path) -> None:
    with Spool(tmp_path, limits=SMALL) as spool:
        for i in range(100):
            spool.append("udp", [b"%0999d" % i])
            spool.durable().result(10)
            spool.consumed(spool.end_block)
        wait_for(lambda: sum(path.stat().st_size for path in segments(tmp_path)) <= SMALL.disk_bytes)
    with Spool(tmp_path) as spool:
        assert spool.counts["udp"] == 100
        assert lines(read_all(tmp_path, spool))[-1] == f"{99:0999d}"
        assert positions(read_all(tmp_path, spool))[0] > 0


@pytest.mark.parametrize("cut", [1, 5, 30, 80])
def test_a_torn_tail_is_cut(tmp_path: Path, cut: int) -> None:
    with Spool(tmp_path, clock=SetClock(1.0)) as spool:
        spool.append("udp", [b"first"])
        spool.durable().result(10)
        spool.append("tcp", [b"second" * 10])
        spool.durable().result(10)
    (segment,) = segments(tmp_path)
    os.truncate(segment, segment.stat().st_size - cut)
    with Spool(tmp_path, clock=SetClock(1.0)) as spool:
        assert next_position(tmp_path) == 1
        assert spool.counts == {"udp": 1}
        spool.append("tcp", [b"third"])
        spool.durable().result(10)
        items = read_all(tmp_path, spool)
    assert lines(items) == ["first", "third"]
    assert positions(items) == [0, 1]


def test_every_place_at_which_a_write_can_be_torn_is_recovered(tmp_path: Path) -> None:
    with Spool(tmp_path / "whole", clock=SetClock(1.0)) as spool:
        for i in range(5):
            spool.append(f"listener-{i}", [b"line %d" % i])
    (segment,) = segments(tmp_path / "whole")
    data = segment.read_bytes()
    folder = tmp_path / "torn"
    folder.mkdir()
    last = -1
    for size in range(len(data) + 1):
        (folder / segment.name).write_bytes(data[:size])
        spool = Spool(folder, clock=SetClock(1.0))
        spool.close()
        count = next_position(folder)
        assert count >= last
        last = count
        for path in folder.iterdir():
            path.unlink()
    assert last == 5


def test_a_damaged_byte_ends_reading_of_that_segment_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Spool(tmp_path, limits=SpoolLimits(segment_bytes=1000)) as spool:
        for i in range(6):
            spool.append("udp", [b"%d" % i * 900])
            spool.durable().result(10)
        first, *_ = segments(tmp_path)
        data = bytearray(first.read_bytes())
        data[-100] ^= 1
        first.write_bytes(bytes(data))
        items = read_all(tmp_path, spool)
    assert "is damaged" in caplog.text
    assert [line[0] for line in lines(items)] == ["1", "2", "3", "4", "5"] or len(lines(items)) >= 4


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    with Spool(tmp_path), pytest.raises(LogwardenError, match="another process uses"):
        Spool(tmp_path)


def test_numbers_go_on_where_the_consumer_is_when_the_files_are_gone(tmp_path: Path) -> None:
    with Spool(tmp_path, resume_position=500, resume_block=70) as spool:
        spool.append("udp", [b"a"])
        spool.durable().result(10)
        items = read_all(tmp_path, spool, start=70)
    assert positions(items) == [500]


def test_a_consumer_ahead_of_a_shorter_spool_gets_only_new_lines(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        spool.append("udp", [b"old"])
    with Spool(tmp_path, resume_position=500, resume_block=70) as spool:
        spool.append("udp", [b"new"])
        spool.durable().result(10)
        items = read_all(tmp_path, spool, start=70)
    assert lines(items) == ["new"]
    assert positions(items) == [500]


def test_a_reader_passes_over_numbers_that_were_never_given(tmp_path: Path) -> None:
    with Spool(tmp_path, clock=SetClock(1.0)) as spool:
        spool.append("udp", [b"old"])
    with Spool(tmp_path, clock=SetClock(1.0), resume_position=500, resume_block=70) as spool:
        spool.append("udp", [b"new"])
        spool.durable().result(10)
        items = read_all(tmp_path, spool)
    assert lines(items) == ["old", "new"]
    assert positions(items) == [0, 500]


def test_a_slow_reader_makes_it_crowded_and_nothing_unread_is_removed(tmp_path: Path) -> None:
    with Spool(tmp_path, limits=SMALL) as spool:
        count = 0
        while not spool.crowded:
            spool.append("udp", [b"%0999d" % count])
            spool.durable().result(10)
            count += 1
            assert count < 1000
        assert "has not yet read" in spool.problem
        items = read_all(tmp_path, spool)
        assert lines(items) == [f"{i:0999d}" for i in range(count)]
        spool.consumed(spool.end_block)
        wait_for(lambda: not spool.crowded)
        assert sum(path.stat().st_size for path in segments(tmp_path)) < SMALL.disk_bytes
        spool.append("udp", [b"more"])
        spool.durable().result(10)
        assert lines(read_all(tmp_path, spool))[-1] == "more"


def test_old_consumed_segments_are_removed_by_age(tmp_path: Path) -> None:
    with Spool(tmp_path, limits=SpoolLimits(segment_bytes=100, keep_seconds=0.0)) as spool:
        for _ in range(5):
            spool.append("udp", [b"x" * 200])
            spool.durable().result(10)
        assert len(segments(tmp_path)) >= 5
        spool.consumed(spool.end_block)
        wait_for(lambda: len(segments(tmp_path)) == 1)


def test_a_full_disk_slows_down_and_loses_nothing(tmp_path: Path) -> None:
    """A file system of 256 KiB, mounted here, fills up and is then given room."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a file system needs root")
    try:
        ballast = folder / "ballast"
        ballast.write_bytes(b"x" * 200_000)
        with Spool(folder / "spool") as spool:
            data = [b"y" * 999] * 100
            spool.append("udp", data)
            promise = spool.durable()
            wait_for(lambda: spool.crowded)
            assert "No space left" in spool.problem
            assert not promise.done()
            ballast.unlink()
            promise.result(10)
            wait_for(lambda: not spool.crowded)
            assert len(lines(read_all(folder / "spool", spool))) == 100
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_reader_in_another_process_follows(tmp_path: Path) -> None:
    reader = SpoolReader(tmp_path)
    assert reader.read(0, timeout=0.1) == ([], 0)
    with Spool(tmp_path, clock=SetClock(1.0), limits=SpoolLimits(segment_bytes=50)) as spool:
        block, seen = 0, []
        for i in range(10):
            spool.append("udp", [b"%d" % i])
            spool.durable().result(10)
            while len(seen) <= i:
                items, block = reader.read(block, timeout=10)
                assert items
                seen += lines(items)
    assert seen == [str(i) for i in range(10)]
    reader.close()


def test_reading_can_start_anywhere(tmp_path: Path) -> None:
    with Spool(tmp_path, clock=SetClock(1.0), limits=SpoolLimits(segment_bytes=300)) as spool:
        for i in range(30):
            spool.append(f"listener-{i}", [b"%d" % i])
        spool.durable().result(10)
        for start in range(spool.end_block):
            items = read_all(tmp_path, spool, start=start)
            assert len(items) == spool.end_block - start
    assert SpoolReader(tmp_path).start() == 0


def test_large_lines_are_all_read_back(tmp_path: Path) -> None:
    """4,096 lines of a request of 64 MiB, which one block cannot hold."""
    data = [b"%04d" % i + b"x" * 16_379 for i in range(4096)]
    for _ in range(2):
        with Spool(tmp_path, clock=SetClock(1.0)) as spool:
            spool.append("http", data, "10.0.0.1", received=[float(i) for i in range(4096)])
            spool.durable().result(60)
            blocks = spool.end_block
    assert blocks > 20
    items = read_all(tmp_path)
    assert [line[:4] for line in lines(items)] == [f"{i:04d}" for i in range(4096)] * 2
    assert {len(line) for line in lines(items)} == {16_383}
    assert positions(items) == list(range(8192))


def test_a_block_that_no_reader_would_take_is_never_written() -> None:
    with pytest.raises(ValueError, match="is larger than"):
        seal(Kind.LINES, 1, 0, 0, bytes(MAX_PAYLOAD + 1))


def test_what_cannot_be_removed_does_not_stop_the_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    with Spool(tmp_path, limits=SpoolLimits(segment_bytes=100, keep_seconds=0.0)) as spool:
        with monkeypatch.context() as patched:
            patched.setattr(Path, "unlink", refuse)
            for _ in range(3):
                spool.append("udp", [b"x" * 200])
                spool.durable().result(10)
            spool.consumed(spool.end_block)
            wait_for(lambda: "cannot be removed: Operation not permitted" in caplog.text)
            spool.append("udp", [b"after"])
            spool.durable().result(10)
        wait_for(lambda: len(segments(tmp_path)) <= 2)
    assert caplog.text.count("cannot be removed") == 1


def test_a_writer_that_dies_says_so_to_everybody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(SetClock):
        def now(self) -> float:
            if self.time < 0:
                raise RuntimeError("the clock is broken")
            return self.time

    clock = Broken(1.0)
    with Spool(tmp_path, clock=clock) as spool:
        spool.append("udp", [b"a"])
        spool.durable().result(10)
        clock.time = -1.0
        wait_for(lambda: spool.crowded)
        assert "RuntimeError: the clock is broken" in spool.problem
        with pytest.raises(LogwardenError, match="could not be written"):
            spool.durable().result(10)
    assert "has stopped" in caplog.text
    assert lines(read_all(tmp_path)) == ["a"]


def test_those_who_wait_are_told_when_the_writer_dies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(_drafts: object) -> None:
        raise RuntimeError("no such luck")

    with Spool(tmp_path, clock=SetClock(1.0)) as spool:
        monkeypatch.setattr(spool, "_write", break_down)
        spool.append("udp", [b"a"])
        with pytest.raises(LogwardenError, match="could not be written"):
            spool.durable().result(10)


WRITER = """
import sys
from pathlib import Path
from logwarden.sources.spool import Spool, SpoolLimits
with Spool(Path(sys.argv[1]), limits=SpoolLimits(segment_bytes=200_000)) as spool:
    first = spool.counts["udp"]
    for i in range(first, 10**9, 50):
        spool.append("udp", [b"line %d" % n for n in range(i, i + 50)])
        if i % 1000 == 0:
            spool.durable().result()
            print(i + 50, flush=True)
"""


@pytest.fixture
def writer(tmp_path: Path) -> Callable[[], subprocess.Popen[str]]:
    def start() -> subprocess.Popen[str]:
        return subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)

    return start


def test_what_was_durable_survives_kill_9_ten_times(
    tmp_path: Path, writer: Callable[[], subprocess.Popen[str]]
) -> None:
    promised = 0
    for round_ in range(10):
        with writer() as process:
            assert process.stdout is not None
            for _ in range(2):
                promised = max(promised, int(process.stdout.readline()))
            time.sleep(0.013 * round_)
            process.send_signal(signal.SIGKILL)
            rest = process.stdout.read().split("\n")[:-1]
            promised = max([promised, *map(int, rest)])
    spool = Spool(tmp_path)
    spool.close()
    items = read_all(tmp_path)
    assert spool.counts["udp"] >= promised > 0
    assert positions(items) == list(range(spool.counts["udp"]))
    assert all(line == f"line {n}" for n, line in enumerate(lines(items)))
