"""The parser takes any text at all."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logwarden.events import ParsedLine, Rejected
from logwarden.parse import LineParser

HEADERS = (
    "<34>1 2026-10-11T22:14:15.003Z host app 1 ID - text",
    "<34>2026-10-11T22:14:15+00:00 host app[1]: text",
    "<34>Oct 11 22:14:15 host app[1]: text",
    "<34>Oct 11 2026 22:14:15 host app: text",
    "2026-10-11T22:14:15,123Z host app: text",
)
STARTS = (
    "", "<34>", "<34>Oct 11 22:14:15 h a: ", "<34>1 2026-11-22T20:00:00Z h a p m ", "<1>1 - - - - - [a b=\"",
    "CEF:0|a|b|c|d|e|1|", "LEEF:2.0|a|b|c|d|^|", '{"message":', '{"time": 1e999, "a": ', "a=b c=d e=f time=",
    "%SYS-5-X: ", "*Mar  1 00:00:01.123 UTC: %SYS-5-A: ", "<999>", "9 <1>", "2015-10-18 18:01:47,978 ",
    "- 1117838570 2005.06.03 a 2005-06-03-15 a b c INFO ", "Feb 29 00:00:00 h a: ", "[Sun Dec 04 04:47:44 2005] ",
    "081109 203615 1 INFO a: ", "99-99 99:99:99 1 1 D a: ", "<34>Feb 30 99:99:99 ", "9999-99-99T99:99:99Z ",
)  # fmt: skip
PARSER = LineParser()


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(HEADERS),
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from("09٣５:.+-TZ <>[]é\0")), max_size=4),
)
def test_a_header_with_a_few_wrong_characters_never_raises(header: str, wrong: list[tuple[int, str]]) -> None:
    text = list(header)
    for position, character in wrong:
        text[position % len(text)] = character
    for received in (None, 1.8e9):
        PARSER.parse("".join(text), received)


TAGGED = (
    "<38>Oct 11 22:14:15 host kernel: text",
    "<38>Oct 11 22:14:15 sudo: kernel: text",
    "<38>Oct 11 22:14:15 host sshd[77]: text",
    "<38>Oct 11 22:14:15 host sshd[7]7]: text",
    "<38>Oct 11 22:14:15 host sshd 77]: text",
    "<38>Oct 11 22:14:15 host foo%LINK-3-UPDOWN: text",
)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(TAGGED + HEADERS),
    st.lists(st.tuples(st.integers(19, 50), st.sampled_from("01:[]% aB")), max_size=3),
)
def test_a_line_is_read_the_same_whatever_was_read_before(line: str, changes: list[tuple[int, str]]) -> None:
    text = list(line)
    for position, character in changes:
        text[position % len(text)] = character
    changed, received = "".join(text), 1.7918e9
    PARSER.parse(changed, received)
    assert PARSER.parse(changed, received) == LineParser().parse(changed, received)


def test_digits_of_another_script_in_a_timestamp_are_no_error() -> None:
    assert PARSER.parse("<34>1 2026-10-11T22:14:٣5Z host app 1 ID - text", None)


@pytest.mark.parametrize("stamp", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00"])
def test_a_time_that_no_log_can_have_is_not_taken_for_one(stamp: str) -> None:
    line = PARSER.parse(f"{stamp} host app: text", None)
    assert isinstance(line, ParsedLine)
    assert line.time is None


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(STARTS),
    st.text(st.characters(codec=None), max_size=200),
    st.none() | st.floats(),
)
def test_parse_never_raises_and_gives_plain_values(start: str, rest: str, received: float | None) -> None:
    line = PARSER.parse(start + rest, received)
    if isinstance(line, Rejected):
        assert line.reason
        return
    assert isinstance(line, ParsedLine)
    assert all(isinstance(text, str) for text in (line.format, line.host, line.app, line.pid, line.message))
    assert line.time is None or (isinstance(line.time, float) and abs(line.time) < 1e12)
    assert line.facility is None or 0 <= line.facility <= 23
    assert line.severity is None or 0 <= line.severity <= 7


def test_deeply_nested_json_is_read_as_plain_text() -> None:
    line = PARSER.parse('{"a":' + "[" * 20_000)
    assert isinstance(line, ParsedLine)
    assert line.format == "plain"


def test_json_with_a_number_of_thousands_of_digits_is_kept() -> None:
    line = PARSER.parse('{"message": "m", "n": ' + "9" * 5_000 + "}")
    assert isinstance(line, ParsedLine)
    assert "m" in line.message
