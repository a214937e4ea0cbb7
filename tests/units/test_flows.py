"""Flow records: what their fields become, and how they are cut and counted."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logwarden.events import Batch
from logwarden.outcome import Outcome
from logwarden.templates import Templates
from logwarden.units import FlowWords, Intake, Unit, UnitConfig

TEXT = "srcip=10.0.{0}.{1} dstport={port} proto={proto} bytes={bytes} date={date} session={0}{1:04} state=EST note=-"


def record(n: int, *, port: int = 443, proto: str = "tcp", size: float = 1000.0, date: str = "2026-03-01") -> str:
    return TEXT.format(100 + n // 5000, n, port=port, proto=proto, bytes=size, date=date)


def normal(count: int) -> list[str]:
    chance = random.Random(7)
    ports = chance.choices([443, 80, 53], [8, 1, 1], k=count)
    return [
        record(n, port=port, proto="udp" if port == 53 else "tcp", size=round(chance.lognormvariate(7, 1)))
        for n, port in enumerate(ports)
    ]


@pytest.fixture(scope="module")
def words() -> FlowWords:
    return FlowWords.fit(normal(2000))


def told(words: FlowWords, message: str) -> dict[str, str]:
    text = words(message)
    assert text is not None
    assert text.startswith("{flow} ")
    return dict(word.split("=", 1) for word in text.split()[1:])


def test_values_that_come_often_stay_and_numbers_become_ranges(words: FlowWords) -> None:
    fields = told(words, record(3, size=1000))
    assert (fields["dstport"], fields["proto"], fields["state"], fields["note"]) == ("443", "tcp", "EST", "-")
    low, high = fields["bytes"].split("..")
    assert float(low) <= 1000 < float(high)
    assert told(words, record(3, size=1000)) == told(words, record(4, size=1001))


def test_names_times_and_counters_say_nothing(words: FlowWords) -> None:
    assert not told(words, record(3)).keys() & {"srcip", "date", "session"}


def test_what_training_never_saw_is_a_word_of_its_own(words: FlowWords) -> None:
    known = {f"{name}={word}" for message in normal(2000) for name, word in told(words, message).items()}
    odd = told(words, record(3, port=4444, proto="sctp", size=5e9))
    assert {"dstport=4444", "proto=sctp"}.isdisjoint(known)
    assert (odd["dstport"], odd["proto"]) == ("4444", "sctp")
    assert odd["bytes"].endswith("..")
    assert f"bytes={odd['bytes']}" not in known
    assert told(words, record(3, size=-1))["bytes"].startswith("..")


def test_it_is_written_and_read_back(words: FlowWords) -> None:
    again = FlowWords.from_json(json.loads(json.dumps(words.to_json())))
    assert [again(message) for message in normal(50)] == [words(message) for message in normal(50)]


def test_other_messages_are_no_records(words: FlowWords) -> None:
    assert words("Accepted publickey for admin from 10.0.0.7 port 50000 ssh2") is None
    assert words("colour=red shape=round weight=7") is None


def test_the_least_number_there_is_has_edges_too() -> None:
    words = FlowWords.fit([f"a={value} b={n} proto=tcp" for n, value in enumerate([5e-324, 1.5, 2.5, 7.0] * 9)])
    assert words("a=5e-324 b=3 proto=tcp") is not None


values = st.one_of(st.text(max_size=80), st.floats().map(str), st.integers().map(str), st.just('a ".. b'))


@given(st.lists(st.dictionaries(st.sampled_from(["a", "b", "c d", "proto"]), values), max_size=30), values)
def test_any_value_can_be_fitted_and_told(records: list[dict[str, str]], odd: str) -> None:
    messages = [" ".join(f'{key}="{value}"' for key, value in one.items()) for one in records]
    words = FlowWords.fit(messages)
    for message in [*messages, f'a="{odd}" b={odd} proto={odd}']:
        text = words(message)
        assert text is None or all("=" in word for word in text.split()[1:])


def cut(lines: Sequence[str], config: UnitConfig, *, restart: bool = False) -> list[Unit]:
    templates = Templates()
    intake = Intake(templates, config, lambda host, gap: 0.0)
    units = []
    for i, line in enumerate(lines):
        if restart:
            state = json.loads(json.dumps(intake.to_state()))
            intake = Intake(templates, config, lambda host, gap: 0.0)
            intake.restore(state)
        units += intake.process(Batch("s", [i], [line], [1000.0 + i]), Outcome())
    return units + intake.finish()


@pytest.mark.parametrize("restart", [False, True])
def test_each_record_is_a_unit_of_its_words(words: FlowWords, restart: bool) -> None:
    templates = Templates()
    lines = [*normal(5), "fw1 sshd[3]: session closed", record(9, port=53)]
    units = cut(lines, UnitConfig.flow(words.to_json()), restart=restart)
    assert [unit.texts for unit in units] == [[line] for line in lines]
    last = units[-1]
    assert set(last.counts) == {templates.id_of(f"{name}={word}") for name, word in told(words, lines[-1]).items()}
    ranges = {templates.id_of(f"bytes={told(words, lines[-1])['bytes']}")}
    assert set(last.combination) == set(last.counts) - ranges
    assert {time for _, time in last.occurrences} == {last.end}
    assert units[-2].words is None  # no record: it counts as a line


def test_a_line_that_begins_like_a_record_is_a_line(words: FlowWords) -> None:
    (unit,) = cut(["flow table full on eth0"], UnitConfig.flow(words.to_json()))
    assert unit.words is None
    assert len(unit.counts) == 1


def test_open_windows_of_another_revision_are_judged_and_not_lost(words: FlowWords) -> None:
    windows = Intake(Templates(), UnitConfig(), lambda host, gap: 0.0)
    windows.process(Batch("s", [0], [normal(1)[0]], [1000.0]), Outcome())
    flows = Intake(Templates(), UnitConfig.flow(words.to_json()), lambda host, gap: 0.0)
    flows.restore(json.loads(json.dumps(windows.to_state())))
    units = flows.process(Batch("s", [1], [normal(2)[1]], [1001.0]), Outcome())
    assert [unit.positions for unit in units] == [[0], [1]]
