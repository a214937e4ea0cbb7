"""Framing of syslog over TCP: both kinds, mixed, and what broken or hostile senders produce."""

from __future__ import annotations

import random

import pytest

from logwarden.sources.base import MAX_LINE_BYTES
from logwarden.sources.framing import Frame, Framer

LONG = b"<13>" + b"x" * MAX_LINE_BYTES
FULL = b"<13>" + b"y" * (MAX_LINE_BYTES - 4)

CASES = {
    "newline": (b"<13>a\n<14>b\n", [b"<13>a", b"<14>b"]),
    "newline without end": (b"<13>a\n<14>b", [b"<13>a", b"<14>b"]),
    "carriage return": (b"<13>a\r\n<14>b\r\n", [b"<13>a", b"<14>b"]),
    "nul before the line feed": (b"<13>a\0\n<14>b\0\n", [b"<13>a", b"<14>b"]),
    "empty lines": (b"\n\n<13>a\n\r\n\n", [b"<13>a"]),
    "counted": (b"5 <13>a6 <14>bb", [b"<13>a", b"<14>bb"]),
    "counted with line feed inside": (b"7 <13>a\nb5 <14>c", [b"<13>a\nb", b"<14>c"]),
    "counted, line feed counted too": (b"6 <13>a\n6 <14>b\n", [b"<13>a", b"<14>b"]),
    "counted, line feed not counted": (b"5 <13>a\n5 <14>b\n", [b"<13>a", b"<14>b"]),
    "counted then newline": (b"5 <13>a<14>b\n5 <15>c", [b"<13>a", b"<14>b", b"<15>c"]),
    "counted without priority after a counted one": (b"5 <13>a5 hello", [b"<13>a", b"hello"]),
    "plain line that begins with a number": (b"10 packets lost\n<13>a\n", [b"10 packets lost", b"<13>a"]),
    "plain line that begins with a date": (b"2026-11-22 10:00:00 up\n", [b"2026-11-22 10:00:00 up"]),
    "length 0": (b"0 <13>a\n", [b"0 <13>a"]),
    "leading zero": (b"05 <13>a\n", [b"05 <13>a"]),
    "absurd length": (b"99999999999 <13>a\n5 <14>b", [b"99999999999 <13>a", b"<14>b"]),
    "length over the waiting limit": (b"900000000 <13>a\n5 <14>b", [b"900000000 <13>a", b"<14>b"]),
    "negative length": (b"-5 <13>a\n", [b"-5 <13>a"]),
    "not UTF-8": (b"<13>\xff\xfe\n5 <14>\x80", [b"<13>\xff\xfe", b"<14>\x80"]),
    "longest newline message": (FULL + b"\r\n", [FULL]),
    "longest counted message": (b"%d %b" % (len(FULL), FULL), [FULL]),
    "only a number": (b"123", [b"123"]),
    "number and space": (b"123 ", [b"123 "]),
    "nothing": (b"", []),
}


def frames_of(data: bytes, sizes: list[int]) -> list[Frame]:
    framer, frames, at = Framer(), [], 0
    for size in sizes:
        frames += framer.feed(data[at : at + size])
        at += size
    frames += framer.feed(data[at:])
    return frames + framer.finish()


@pytest.mark.parametrize("name", CASES)
def test_messages_are_found(name: str) -> None:
    data, expected = CASES[name]
    assert frames_of(data, []) == [Frame(message) for message in expected]


@pytest.mark.parametrize("name", CASES)
def test_the_cut_into_packets_does_not_matter(name: str) -> None:
    data, expected = CASES[name]
    step = max(1, len(data) // 200)
    assert frames_of(data, [step] * (len(data) // step)) == [Frame(message) for message in expected]


@pytest.mark.parametrize("cut", [0, 1, 100, MAX_LINE_BYTES, MAX_LINE_BYTES + 3])
def test_too_long_line_is_reported_and_the_next_one_is_found(cut: int) -> None:
    frames = frames_of(LONG + b"\n<14>b\n", [cut])
    reason = f"message of {len(LONG)} bytes is longer than {MAX_LINE_BYTES}"
    assert frames == [Frame(LONG[: 8 * 1024], reason), Frame(b"<14>b")]


@pytest.mark.parametrize("cut", [0, 3, 5000, MAX_LINE_BYTES + 3])
def test_too_long_counted_message_is_skipped_whole(cut: int) -> None:
    frames = frames_of(b"%d %b" % (len(LONG), LONG) + b"5 <14>b", [cut])
    reason = f"message of {len(LONG)} bytes is longer than {MAX_LINE_BYTES}"
    assert frames == [Frame(LONG[: 8 * 1024], reason), Frame(b"<14>b")]


def test_endless_line_takes_bounded_memory() -> None:
    framer = Framer()
    for _ in range(100):
        assert framer.feed(b"z" * MAX_LINE_BYTES) == []
        assert len(framer._buffer) <= 2 * MAX_LINE_BYTES
    assert framer.unfinished
    (frame,) = framer.finish()
    assert str(100 * MAX_LINE_BYTES) in frame.reason


def test_connection_that_ends_inside_a_counted_message_is_reported() -> None:
    (frame,) = frames_of(b"50 <13>hello", [])
    assert frame.reason == "connection closed after 9 of 50 bytes"
    assert b"<13>hello" in frame.data


def test_connection_that_ends_inside_a_too_long_message_is_reported() -> None:
    (frame,) = frames_of(b"100000 <13>hello", [])
    assert "connection closed 99991 bytes before the end" in frame.reason


def test_noise_never_raises_and_gives_the_same_in_any_cut() -> None:
    rng = random.Random(5)
    for _ in range(300):
        data = bytes(rng.choices(b"0123456789 <>\n\r\0ab", k=rng.randrange(400)))
        cuts = [rng.randrange(1, 20) for _ in range(10)]
        assert frames_of(data, cuts) == frames_of(data, [])
