"""Following growing files."""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from logwarden.errors import InvalidInputError
from logwarden.events import Batch
from logwarden.sources.follow import follow_files


class Follower:
    """Follows files in a thread and gives lines as they come."""

    def __init__(self, *paths: Path) -> None:
        self._stopped = threading.Event()
        self._batches: queue.Queue[Batch] = queue.Queue()
        self._thread = threading.Thread(target=self._run, args=(paths,))
        self._thread.start()

    def _run(self, paths: tuple[Path, ...]) -> None:
        for batch in follow_files(paths, stopped=self._stopped.is_set):
            self._batches.put(batch)

    def take(self, count: int) -> list[tuple[str, int, str]]:
        """Return the next ``count`` lines as (stream, position, text)."""
        rows: list[tuple[str, int, str]] = []
        until = time.monotonic() + 30
        while len(rows) < count:
            assert time.monotonic() < until, f"only {rows}"
            batch = self._batches.get(timeout=20)
            rows += [(batch.stream, at, text) for at, text in zip(batch.positions, batch.lines, strict=True)]
        return rows

    def heartbeat(self) -> None:
        """Wait for an empty batch."""
        while self._batches.get(timeout=20).lines:
            pass

    def stop(self) -> list[str]:
        """Stop; return the lines that were still to come."""
        self._stopped.set()
        self._thread.join(20)
        return [line for batch in list(self._batches.queue) for line in batch.lines]


@pytest.fixture
def follow() -> Iterator[Callable[..., Follower]]:
    followers: list[Follower] = []

    def start(*paths: Path) -> Follower:
        followers.append(Follower(*paths))
        return followers[-1]

    yield start
    for follower in followers:
        follower.stop()


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log"
    path.write_bytes(b"one\ntwo\n")
    return path


def test_what_is_there_and_what_is_added_is_read(follow: Callable[..., Follower], log: Path) -> None:
    follower = follow(log)
    assert follower.take(2) == [(f"file:{log}", 1, "one"), (f"file:{log}", 2, "two")]
    append(log, b"three\n")
    assert follower.take(1) == [(f"file:{log}", 3, "three")]


def test_a_line_is_held_until_it_is_complete(follow: Callable[..., Follower], log: Path) -> None:
    follower = follow(log)
    follower.take(2)
    append(log, b"thr")
    follower.heartbeat()
    append(log, b"ee\n")
    assert follower.take(1)[0][2] == "three"


def test_the_last_line_is_given_at_the_end(follow: Callable[..., Follower], log: Path) -> None:
    follower = follow(log)
    follower.take(2)
    append(log, b"unfinished")
    follower.heartbeat()
    assert follower.stop() == ["unfinished"]


def test_no_line_is_lost_when_the_file_is_rotated(follow: Callable[..., Follower], log: Path, tmp_path: Path) -> None:
    follower = follow(log)
    assert len(follower.take(2)) == 2
    writer = log.open("ab", buffering=0)
    log.rename(tmp_path / "log.1")
    writer.write(b"three\nlast of the old")
    writer.close()
    log.write_bytes(b"new one\n")
    rows = follower.take(3)
    assert [text for _, _, text in rows] == ["three", "last of the old", "new one"]
    assert rows[-1][:2] == (f"file:{log}#2", 1)


def test_a_file_that_appears_later_than_its_rotation_is_found(follow: Callable[..., Follower], log: Path) -> None:
    follower = follow(log)
    follower.take(2)
    log.unlink()
    follower.heartbeat()
    log.write_bytes(b"back\n")
    assert follower.take(1) == [(f"file:{log}#2", 1, "back")]


def test_a_truncated_file_is_read_from_its_start(follow: Callable[..., Follower], log: Path) -> None:
    follower = follow(log)
    follower.take(2)
    os.truncate(log, 0)
    follower.heartbeat()
    append(log, b"new\n")
    assert follower.take(1) == [(f"file:{log}#2", 1, "new")]


def test_several_files_are_followed(follow: Callable[..., Follower], log: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"")
    follower = follow(log, other)
    follower.take(2)
    append(other, b"x\n")
    assert follower.take(1) == [(f"file:{other}", 1, "x")]


def test_standard_input_cannot_be_followed() -> None:
    with pytest.raises(InvalidInputError, match="cannot follow -"):
        next(follow_files(["-"], stopped=lambda: False))
