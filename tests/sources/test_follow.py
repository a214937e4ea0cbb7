"""Following growing files."""

from __future__ import annotations

import gzip
import os
import queue
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import pytest

from logwarden.errors import InvalidInputError
from logwarden.events import Batch
from logwarden.sources.follow import Begun, Ended, Identity, Item, Quiet, follow_files

Wanted = TypeVar("Wanted", Begun, Quiet, Ended)


class Follower:
    """Follows files in a thread and gives what comes."""

    def __init__(self, *paths: Path, known: Mapping[str, Identity] | None = None) -> None:
        self._stopped = threading.Event()
        self._items: queue.Queue[Item] = queue.Queue()
        self._thread = threading.Thread(target=self._run, args=(paths, known))
        self._thread.start()

    def _run(self, paths: tuple[Path, ...], known: Mapping[str, Identity] | None) -> None:
        for item in follow_files(paths, stopped=self._stopped.is_set, known=known):
            self._items.put(item)

    def take(self, count: int) -> list[tuple[str, int, str]]:
        """Return the next ``count`` lines as (stream, position, text)."""
        rows: list[tuple[str, int, str]] = []
        until = time.monotonic() + 30
        while len(rows) < count:
            assert time.monotonic() < until, f"only {rows}"
            item = self._items.get(timeout=20)
            if isinstance(item, Batch):
                rows += [(item.stream, at, text) for at, text in zip(item.positions, item.lines, strict=True)]
        return rows

    def wait_for(self, kind: type[Wanted]) -> Wanted:
        """Return the next item of a kind."""
        while True:
            item = self._items.get(timeout=20)
            if isinstance(item, kind):
                return item

    def stop(self) -> list[str]:
        """Stop; return the lines that were still to come."""
        self._stopped.set()
        self._thread.join(20)
        return [line for item in list(self._items.queue) if isinstance(item, Batch) for line in item.lines]


@pytest.fixture
def follow() -> Iterator[Callable[..., Follower]]:
    followers: list[Follower] = []

    def start(*paths: Path, known: Mapping[str, Identity] | None = None) -> Follower:
        followers.append(Follower(*paths, known=known))
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
    follower.wait_for(Quiet)
    append(log, b"ee\n")
    assert follower.take(1)[0][2] == "three"


def test_an_unfinished_line_is_left_for_the_next_run(follow: Callable[..., Follower], log: Path) -> None:
    follower = follow(log)
    begun = follower.wait_for(Begun)
    append(log, b"unfin")
    follower.wait_for(Quiet)
    assert follower.stop() == []
    append(log, b"ished\n")
    again = follow(log, known={str(log): begun.identity})
    assert again.take(3)[2] == (f"file:{log}", 3, "unfinished")


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
    follower.wait_for(Quiet)
    log.write_bytes(b"back\n")
    assert follower.take(1) == [(f"file:{log}#2", 1, "back")]


def test_a_truncated_file_is_read_from_its_start(follow: Callable[..., Follower], log: Path) -> None:
    follower = follow(log)
    follower.take(2)
    os.truncate(log, 0)
    follower.wait_for(Ended)
    append(log, b"new\n")
    assert follower.take(1) == [(f"file:{log}#2", 1, "new")]


def test_several_files_are_followed(follow: Callable[..., Follower], log: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"")
    follower = follow(log, other)
    follower.take(2)
    append(other, b"x\n")
    assert follower.take(1) == [(f"file:{other}", 1, "x")]


def test_time_passes_where_nothing_is_added(follow: Callable[..., Follower], log: Path) -> None:
    follower = follow(log)
    quiet = [follower.wait_for(Quiet) for _ in range(2)]
    assert {item.stream for item in quiet} == {f"file:{log}"}
    assert all(1.0 <= item.seconds < 20 for item in quiet)


def test_the_end_of_a_rotated_file_is_told(follow: Callable[..., Follower], log: Path, tmp_path: Path) -> None:
    follower = follow(log)
    first = follower.wait_for(Begun)
    log.rename(tmp_path / "log.1")
    log.write_bytes(b"new\n")
    assert follower.wait_for(Ended) == Ended(f"file:{log}")
    second = follower.wait_for(Begun)
    assert (second.path, second.stream) == (str(log), f"file:{log}#2")
    assert (first.identity.generation, second.identity.generation) == (1, 2)


def rename(log: Path) -> None:
    log.rename(log.with_name("log.1"))


def copy_and_truncate(log: Path) -> None:
    shutil.copy2(log, log.with_name("log.1"))
    os.truncate(log, 0)


def compress(log: Path) -> None:
    log.with_name("log-20260301.gz").write_bytes(gzip.compress(log.read_bytes()))
    log.unlink()


@pytest.mark.parametrize("rotate", [rename, copy_and_truncate, compress])
def test_files_rotated_between_two_runs_are_read_to_their_end(
    follow: Callable[..., Follower], log: Path, tmp_path: Path, rotate: Callable[[Path], None]
) -> None:
    follower = follow(log)
    known = {str(log): follower.wait_for(Begun).identity}
    follower.stop()
    append(log, b"three\n")
    rotate(log)
    time.sleep(0.02)
    append(tmp_path / "log.0", b"between\n")  # was in use for a while between the two
    (tmp_path / "log-other").write_bytes(b"no rotated file\n")
    time.sleep(0.02)
    append(log, b"new\n")
    again = follow(log, known=known)
    assert again.take(5) == [
        (f"file:{log}", 1, "one"),
        (f"file:{log}", 2, "two"),
        (f"file:{log}", 3, "three"),
        (f"file:{log}#2", 1, "between"),
        (f"file:{log}#3", 1, "new"),
    ]


def test_a_file_whose_predecessor_is_gone_is_begun_as_the_next_one(
    follow: Callable[..., Follower], log: Path, caplog: pytest.LogCaptureFixture
) -> None:
    follower = follow(log)
    known = {str(log): follower.wait_for(Begun).identity}
    follower.stop()
    log.write_bytes(b"new\n")
    assert follow(log, known=known).take(1) == [(f"file:{log}#2", 1, "new")]
    assert "is not to be found beside it" in caplog.text


def test_a_stop_does_not_wait_for_the_end_of_a_long_file(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"x\n" * 100_000)
    taken: list[Item] = []
    for item in follow_files([log], stopped=lambda: len(taken) >= 3, batch_lines=10):
        taken.append(item)  # noqa: PERF402 - asked about while the loop runs
    assert len(taken) == 3


def test_standard_input_cannot_be_followed() -> None:
    with pytest.raises(InvalidInputError, match="cannot follow -"):
        next(follow_files(["-"], stopped=lambda: False))
