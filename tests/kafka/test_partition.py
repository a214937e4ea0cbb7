"""A partition as a source: which batches and ticks its messages become."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest
from confluent_kafka import KafkaError, Message
from hypothesis import given, settings
from hypothesis import strategies as st

from logwarden.events import Batch
from logwarden.kafka import envelope
from logwarden.kafka.partition import PartitionSource
from logwarden.sources.base import Item, Malformed, Tick

START = 1_700_000_000.0


def message(offset: int, value: bytes, written: float = START) -> Message:
    return Message(
        topic="t", partition=0, offset=offset, key=b"10.0.0.1", value=value, timestamp=(1, int(written * 1000))
    )


def line(offset: int, received: float, listener: str = "udp", reason: str = "") -> Message:
    return message(offset, envelope.encode(b"line", received=received, listener=listener, reason=reason))


def flat(items: Sequence[Item]) -> list[object]:
    """Return lines and ticks one by one, so that it does not matter how they were batched."""
    found: list[object] = []
    for item in items:
        if isinstance(item, Batch):
            assert item.received is not None
            found += [("line", *row) for row in zip(item.positions, item.received, strict=True)]
        elif isinstance(item, Tick):
            found.append(("tick", item.time))
        elif isinstance(item, Malformed):
            found += [("rejected", one.position, one.reason) for one in item.rejected]
    return found


def read(messages: list[Message], every: int, place: int = 0, clock: float = 0.0) -> list[object]:
    source = PartitionSource("t/0")
    source.resume(place, clock)
    found: list[object] = []
    for start in range(0, len(messages), every):
        source.feed(messages[start : start + every])
        found += flat(source.read(source.place)[0])
    return found


def test_lines_become_batches_of_one_listener_and_the_time_between_them_ticks() -> None:
    messages = [line(0, START), line(1, START + 0.5), line(2, START + 0.7, "tcp"), line(4, START + 4.0, "tcp")]
    source = PartitionSource("t/0")
    source.feed(messages)
    items, place = source.read(0)
    assert place == 5
    assert flat(items) == [
        ("line", 0, START),
        ("line", 1, START + 0.5),
        ("line", 2, START + 0.7),
        *(("tick", START + second) for second in (1.0, 2.0, 3.0, 4.0)),
        ("line", 4, START + 4.0),
    ]
    assert [item.listener for item in items if isinstance(item, Batch)] == ["udp", "tcp", "tcp"]
    assert source.read(5) == ([], 5)


def test_late_lines_become_batches_of_their_own() -> None:
    late = message(1, envelope.encode(b"line", received=START, listener="udp", late=True))
    source = PartitionSource("t/0")
    source.feed([line(0, START), late, line(2, START)])
    items, _ = source.read(0)
    assert [item.late for item in items if isinstance(item, Batch)] == [False, True, False]


times = st.lists(st.floats(0, 40).map(lambda seconds: START + seconds), min_size=1, max_size=30)


@settings(deadline=None)
@given(times, st.integers(1, 7), st.data())
def test_batches_and_restarts_change_nothing(received: list[float], every: int, data: st.DataObject) -> None:
    messages = [line(offset, at, "udp", "bad" if offset % 9 == 5 else "") for offset, at in enumerate(received)]
    whole = read(messages, len(messages))
    assert read(messages, every) == whole
    cut = data.draw(st.integers(0, len(messages)))
    before = read(messages[:cut], every)
    clock = max((one[-1] for one in before if one[0] == "tick"), default=0.0)  # type: ignore[index]
    clock = max([clock, *received[:cut]])
    assert before + read(messages[cut:], every, place=cut, clock=clock) == whole


def test_only_at_the_end_the_real_time_counts_and_gives_the_ticks_that_the_next_line_would_give() -> None:
    source = PartitionSource("t/0")
    source.pass_time(0, START)
    assert source.read(0)[0] == [], "the clock has not begun"
    source.feed([line(0, START)])
    source.read(1)
    source.pass_time(2, START + 10)
    assert source.read(1)[0] == [], "there is a line that was not read"
    source.pass_time(1, START + 5.5)
    early = flat(source.read(1)[0])
    assert early == [("tick", START + second) for second in (1.0, 2.0, 3.0)], "late lines have two seconds"
    source.feed([line(1, START + 6)])
    assert early + flat(source.read(2)[0]) == read([line(0, START), line(1, START + 6)], 1)[1:]


def test_the_clock_stands_still_when_nothing_came_for_an_hour() -> None:
    source = PartitionSource("t/0")
    source.feed([line(0, START)])
    source.read(1)
    for _ in range(2):
        source.pass_time(1, START + 1e6)
    ticks = flat(source.read(1)[0])
    assert len(ticks) == 3600
    source.feed([line(1, START + 1e6)])
    assert flat(source.read(2)[0])[-1] == ("line", 1, START + 1e6)


def test_a_clock_that_runs_far_ahead_cannot_stop_that_of_the_partition() -> None:
    now = time.time()
    source = PartitionSource("t/0")
    source.feed([message(0, envelope.encode(b"x", received=4e9, listener="udp"), written=now), line(1, now)])
    batch = source.read(2)[0][0]
    assert isinstance(batch, Batch)
    assert list(batch.received or ()) == pytest.approx([now, now], abs=0.01)


def test_broken_messages_are_handed_on_with_their_reason_and_can_be_had_until_they_are_stored() -> None:
    source = PartitionSource("t/0")
    messages = [line(0, START), message(1, b'{"logwarden":9}'), line(2, START, reason="half")]
    source.feed(messages)
    assert [one[:2] for one in flat(source.read(3)[0])] == [("line", 0), ("rejected", 1), ("rejected", 2)]  # type: ignore[index]
    assert source.originals([2, 1]) == messages[1:]
    source.feed([line(3, START, reason="waits to be read while the store is away")])
    source.forget(3)
    assert source.originals([1]) == []
    assert source.originals([3]) == source.originals([1, 2, 3]) != []


def test_what_is_fetched_twice_is_read_once() -> None:
    messages = [line(offset, START) for offset in range(4)]
    source = PartitionSource("t/0")
    source.resume(1, START)
    source.feed(messages[:3])
    source.feed(messages[1:])
    items, place = source.read(1)
    assert [one[1] for one in flat(items)] == [1, 2, 3]  # type: ignore[index]
    assert place == 4


def test_the_mark_of_the_end_stands_behind_marks_of_transactions() -> None:
    source = PartitionSource("t/0")
    source.feed([line(0, START)])
    source.feed([Message(topic="t", partition=0, offset=3, error=KafkaError(KafkaError._PARTITION_EOF))])
    assert source.read(1)[1] == 3
