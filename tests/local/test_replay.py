"""Replays: their clock, their order, and going on after a stop."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from logwarden.errors import InvalidInputError
from logwarden.events import Batch
from logwarden.local.replay import MAX_SPEED, Beside, Recording, Replay
from logwarden.sources.base import End, Item, Tick
from logwarden.sources.listening import ListenerThread, bind
from logwarden.sources.spool import Spool, SpoolReader
from logwarden.sources.syslog import TcpListener

from .conftest import RECORDING_START, raw_lines, write_recording

HOST = "127.0.0.1"


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    write_recording(tmp_path / "day-1", minutes=2)
    return Recording(tmp_path / "day-1")


@contextmanager
def replaying(recording: Recording, speed: float, folder: Path) -> Iterator[Replay]:
    """Run a replay through a listener into the spool of a folder."""
    folder.mkdir(exist_ok=True)
    spool = Spool(folder / "spool")
    replay = Replay(recording, speed, spool, folder)
    spool.clock = replay
    listener = TcpListener(replay.listener, bind("tcp", HOST, 0), replay)
    thread = ListenerThread([listener])
    with spool:
        thread.start()
        replay.start(HOST, listener.socket.getsockname()[1])
        yield replay
        replay.stop()
        thread.stop()


def wait_until_finished(replay: Replay) -> None:
    until = time.monotonic() + 60
    while not replay.finished:
        assert time.monotonic() < until
        time.sleep(0.02)


def items_of(folder: Path) -> list[Item]:
    reader = SpoolReader(folder / "spool")
    items, _ = reader.read(0, max_lines=1_000_000)
    reader.close()
    return items


def received(items: list[Item]) -> list[float]:
    return [at for item in items if isinstance(item, Batch) for at in item.received or ()]


def texts(items: list[Item]) -> list[str]:
    return [text for item in items if isinstance(item, Batch) for text in item.lines]


@pytest.mark.parametrize("speed", [60.0, MAX_SPEED])
def test_lines_arrive_in_order_with_their_recorded_distances(
    recording: Recording, tmp_path: Path, speed: float
) -> None:
    started = time.time()
    with replaying(recording, speed, tmp_path / "data") as replay:
        wait_until_finished(replay)
    took = time.time() - started
    items = items_of(tmp_path / "data")
    expected = raw_lines(2)
    times = received(items)
    assert texts(items) == [line for _, line in expected]
    assert {peer for item in items if isinstance(item, Batch) for peer in item.peers or ()} == {"10.0.0.1"}
    shift = times[0] - expected[0][0]
    assert all(item.shift == pytest.approx(shift, abs=1e-3) for item in items if isinstance(item, Batch))
    assert shift % 60 == pytest.approx(0, abs=1e-3)
    assert times[-1] - times[0] == pytest.approx(recording.seconds, abs=1e-3)
    assert -62 <= times[-1] - time.time() <= 1
    assert [item.name for item in items if isinstance(item, End)] == ["replay-day-1"]
    if speed == 60.0:
        assert took >= recording.seconds / 60


def test_the_clock_runs_faster_meets_the_real_time_and_never_passes_a_line(
    recording: Recording, tmp_path: Path
) -> None:
    with replaying(recording, 60.0, tmp_path / "data") as replay:
        first, began = replay.now(), time.monotonic()
        time.sleep(0.5)
        rate = (replay.now() - first) / (time.monotonic() - began)
        assert rate > 10
        wait_until_finished(replay)
        assert replay.now() == pytest.approx(time.time(), abs=0.5)
    latest = 0.0
    for item in items_of(tmp_path / "data"):
        times = [item.time] if isinstance(item, Tick) else list(item.received or ()) if isinstance(item, Batch) else []
        assert all(at >= latest for at in times)
        latest = max([latest, *times])


def test_the_clock_of_a_replay_says_nothing_of_what_others_send_meanwhile(recording: Recording, tmp_path: Path) -> None:
    with replaying(recording, 60.0, tmp_path / "data") as replay:
        beside = Beside(replay, replay._spool)
        beside.append("udp", [b"during"], HOST)
        wait_until_finished(replay)
        beside.append("udp", [b"after"], HOST)
        beside.durable().result(20)
    batches = [item for item in items_of(tmp_path / "data") if isinstance(item, Batch)]
    assert {(batch.listener, batch.late) for batch in batches} == {
        ("replay-day-1", False),
        ("udp", True),
        ("udp", False),
    }
    assert [batch.lines for batch in batches if batch.late] == [["during"]]


def test_a_replay_goes_on_after_a_stop_without_a_gap_or_a_repeat(recording: Recording, tmp_path: Path) -> None:
    for _ in range(3):
        with replaying(recording, 60.0, tmp_path / "data") as replay:
            time.sleep(0.4)
        assert 0 < replay.done < replay.total
    with replaying(recording, MAX_SPEED, tmp_path / "data") as replay:
        wait_until_finished(replay)
    items = items_of(tmp_path / "data")
    whole = received(items)
    assert texts(items) == [raw.decode() for _, _, raw in recording.lines()]
    shift = whole[0] - RECORDING_START
    assert whole == pytest.approx([at + shift for at, _, _ in recording.lines()], abs=1e-3)
    spool = Spool(tmp_path / "data" / "spool")
    assert Replay(recording, 60.0, spool, tmp_path / "data").finished
    spool.close()


def test_a_recording_is_not_put_between_later_lines(recording: Recording, tmp_path: Path) -> None:
    with Spool(tmp_path / "spool") as spool:
        spool.append("udp", [b"live"])
        spool.durable().result(10)
        with pytest.raises(InvalidInputError, match="new folder with --data-dir"):
            Replay(recording, 20.0, spool, tmp_path)


@pytest.mark.parametrize("content", ['{"replay-day-1": 17', "[]", '{"replay-day-1": "soon"}', "\udcff"])
def test_a_damaged_note_of_earlier_replays_is_told(recording: Recording, tmp_path: Path, content: str) -> None:
    (tmp_path / "replays.json").write_text(content, errors="surrogateescape")
    with Spool(tmp_path / "spool") as spool, pytest.raises(InvalidInputError, match=r"replays\.json is damaged"):
        Replay(recording, 20.0, spool, tmp_path)


def test_a_write_that_fails_leaves_the_note_of_earlier_replays(
    recording: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "replays.json").write_text('{"replay-other": 60}')

    def power_cut(_handle: int) -> None:
        raise OSError("the power went")

    monkeypatch.setattr("logwarden.local.replay.os.fsync", power_cut)
    with Spool(tmp_path / "spool") as spool, pytest.raises(OSError, match="the power went"):
        Replay(recording, 20.0, spool, tmp_path)
    assert (tmp_path / "replays.json").read_text() == '{"replay-other": 60}'


@pytest.mark.parametrize("content", ["", "no recorded line\n"])
def test_what_is_no_recording_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "lines.log"
    file.write_text(content)
    with pytest.raises(InvalidInputError, match="no recorded line"):
        Recording(file)
    with pytest.raises(InvalidInputError, match="is no recording"):
        Recording(tmp_path)
