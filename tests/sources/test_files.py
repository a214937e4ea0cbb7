"""Reading files: forms, line ends, limits, damage, recordings."""

from __future__ import annotations

import gzip
import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from logwarden.errors import InvalidInputError
from logwarden.events import Batch
from logwarden.sources.base import MAX_LINE_BYTES
from logwarden.sources.files import read_files


def lines_of(batches: list[Batch]) -> list[str]:
    return [line for batch in batches for line in batch.lines]


def read(*paths: object, batch_lines: int = 4096) -> list[Batch]:
    return list(read_files(map(str, paths), batch_lines=batch_lines))


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"a\nb\n", ["a", "b"]),
        (b"a\nb", ["a", "b"]),
        (b"a\r\nb\r\n", ["a", "b"]),
        (b"a\r\n\r\nb", ["a", "", "b"]),
        (b"\n\n", ["", ""]),
        (b"\xef\xbb\xbfa\nb\n", ["a", "b"]),
        (b"caf\xc3\xa9 \xff\n", ["café \udcff"]),
        (b"a\x0bb\x0cc\xe2\x80\xa8d\x1ce\n", ["a\x0bb\x0cc\u2028d\x1ce"]),
        (b"a\0b\n", ["a\0b"]),
    ],
)
def test_lines_end_at_line_feeds_only(tmp_path: Path, data: bytes, expected: list[str]) -> None:
    assert lines_of(read(write(tmp_path / "log", data))) == expected


def test_batches_number_the_lines_from_1(tmp_path: Path) -> None:
    path = write(tmp_path / "log", b"".join(b"line %d\n" % i for i in range(10_000)))
    batches = read(path, batch_lines=1000)
    assert {batch.stream for batch in batches} == {f"file:{path}"}
    assert [position for batch in batches for position in batch.positions] == list(range(1, 10_001))
    assert all(len(batch.lines) <= 1000 for batch in batches)
    assert lines_of(batches) == [f"line {i}" for i in range(10_000)]


def test_lines_longer_than_a_read_are_put_together(tmp_path: Path) -> None:
    lines = [str(i) * (60_000 // len(str(i))) for i in range(50)]
    assert lines_of(read(write(tmp_path / "log", "\n".join(lines).encode()))) == lines


@pytest.mark.parametrize("length", [MAX_LINE_BYTES + 1, 3_000_000])
def test_a_too_long_line_is_cut_so_that_a_parser_rejects_it(tmp_path: Path, length: int) -> None:
    path = write(tmp_path / "log", b"before\n" + b"x" * length + b"\nafter\n")
    assert lines_of(read(path)) == ["before", "x" * (MAX_LINE_BYTES + 1), "after"]


def test_the_longest_line_stays_whole_also_when_its_characters_take_four_bytes(tmp_path: Path) -> None:
    line = "𝄞" * MAX_LINE_BYTES
    assert lines_of(read(write(tmp_path / "log", line.encode() + b"\nafter"))) == [line, "after"]


def test_a_huge_line_takes_bounded_memory(tmp_path: Path) -> None:
    import tracemalloc

    path = tmp_path / "log"
    with path.open("wb") as file:
        file.truncate(50_000_000)  # zeros: a sparse file without a line feed
    tracemalloc.start()
    batches = read(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [len(line) for line in lines_of(batches)] == [MAX_LINE_BYTES + 1]
    assert peak < 10_000_000


def test_gzip_is_told_by_content_and_may_have_several_members(tmp_path: Path) -> None:
    path = write(tmp_path / "messages", gzip.compress(b"a\nb") + gzip.compress(b"c\nd\n"))
    assert lines_of(read(path)) == ["a", "bc", "d"]


def test_a_gzip_file_that_breaks_off_gives_its_lines_and_then_an_error(tmp_path: Path) -> None:
    import random

    rng = random.Random(1)
    data = b"".join(b"line %d %d\n" % (i, rng.getrandbits(64)) for i in range(50_000))
    whole = gzip.compress(data)
    path = write(tmp_path / "log.gz", whole[: len(whole) // 2])
    seen: list[str] = []
    batches = read_files([path])
    with pytest.raises(InvalidInputError, match=r"log\.gz: broken after line \d+") as caught:
        seen.extend(line for batch in batches for line in batch.lines)
    assert len(seen) > 20_000
    assert seen[:-1] == data.decode().split("\n")[: len(seen) - 1]
    assert f"line {len(seen)} " in str(caught.value)


def test_a_broken_input_does_not_keep_the_others_from_being_read(tmp_path: Path) -> None:
    broken = [write(tmp_path / f"{name}.gz", gzip.compress(b"a line\n" * 1000)[:-12]) for name in "ac"]
    whole = write(tmp_path / "b", b"b\n")
    seen: list[str] = []
    with pytest.raises(InvalidInputError) as caught:
        seen.extend(line for batch in read_files([broken[0], whole, broken[1]]) for line in batch.lines)
    assert seen.count("a line") >= 1000
    assert "b" in seen
    assert all(str(path) in str(caught.value) for path in broken)
    assert "\n" not in str(caught.value)


def test_a_damaged_gzip_file_is_an_error_of_one_line(tmp_path: Path) -> None:
    whole = bytearray(gzip.compress(b"a line\n" * 1000))
    whole[20] ^= 0xFF
    with pytest.raises(InvalidInputError, match="broken after line") as caught:
        read(write(tmp_path / "log.gz", bytes(whole)))
    assert "\n" not in str(caught.value)


def test_globs_are_sorted_and_a_file_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    write(tmp_path / "b.log", b"b\n")
    write(tmp_path / "a.log", b"a\n")
    write(tmp_path / "sub" / "c.log", b"c\n")
    assert lines_of(read(tmp_path / "*.log")) == ["a", "b"]
    assert lines_of(read(tmp_path / "**" / "*.log", tmp_path / "a.log")) == ["a", "b", "c"]


def test_a_file_whose_name_looks_like_a_glob_is_read(tmp_path: Path) -> None:
    assert lines_of(read(write(tmp_path / "log[1]", b"a\n"))) == ["a"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent", "no such file"),
        ("*.none", "no file matches"),
        ("", "is a folder"),
        ("x" * 300, "file name too long"),
        ("x\0y", "no such file"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message) as caught:
        read(tmp_path / name)
    assert str(tmp_path) in str(caught.value)


def test_standard_input_is_read_for_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = io.BufferedReader(io.BytesIO(gzip.compress(b"a\nb\n")))  # type: ignore[arg-type]
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=buffer))
    (batch,) = read("-")
    assert (batch.stream, list(batch.lines)) == ("file:-", ["a", "b"])


RECORDED = (
    b"2026-11-22T20:19:18.500000Z\t10.99.0.1\tudp\t<45>Nov 22 20:19:18 r1 syslog-ng[35]: starting\tup\n"
    b"2026-11-22T20:19:19+00:00\t10.99.0.2\ttcp\t<46>1 2026-11-22T20:19:19Z r2 a - - - b\n"
)


def test_a_recording_gives_receive_times_and_addresses(tmp_path: Path) -> None:
    write(tmp_path / "meta.json", b"{}")
    write(tmp_path / "lines.log.gz", gzip.compress(RECORDED))
    (batch,) = read(tmp_path)
    assert batch.stream == f"file:{tmp_path}/lines.log.gz"
    assert batch.received is not None
    assert list(batch.received) == [1795378758.5, 1795378759.0]
    assert batch.peers == ["10.99.0.1", "10.99.0.2"]
    assert batch.lines[0] == "<45>Nov 22 20:19:18 r1 syslog-ng[35]: starting\tup"


def test_a_broken_line_of_a_recording_is_kept_whole(tmp_path: Path) -> None:
    (batch,) = read(write(tmp_path / "lines.log", RECORDED + b"no tabs here\n"))
    assert batch.received is not None
    assert batch.lines[-1] == "no tabs here"
    assert batch.received[-1] == 1795378759.0


def test_a_plain_file_has_no_receive_times(tmp_path: Path) -> None:
    (batch,) = read(write(tmp_path / "log", b"2026-11-22T20:19:18Z host app: text\n"))
    assert batch.received is None
    assert batch.peers is None
