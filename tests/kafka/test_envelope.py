"""What a message of the raw topic may look like."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logwarden.kafka.envelope import Line, decode, decode_complete, encode
from logwarden.sources.base import MAX_LINE_BYTES

WRITTEN = 1_795_615_200.0


def read(value: bytes | None, key: bytes | None = b"10.0.0.9") -> Line:
    return decode(value, key=key, written=WRITTEN)


def read_fast(value: bytes) -> Line | None:
    """What the fast way makes of a value, as the slow one would return it."""
    line = decode_complete(value)
    return line and Line(line.text, line.received, line.peer, line.listener, line.reason, line.late)


@given(st.binary(max_size=300), st.floats(0, 4e9), st.sampled_from(["", "10.0.0.9", "fe80::1%eth0"]))
def test_every_line_comes_back_as_it_was(line: bytes, received: float, peer: str) -> None:
    value = encode(line, received=received, peer=peer, listener="udp")
    expected = Line(line.decode("utf-8", "surrogateescape"), received, peer, "udp", "")
    assert read(value, key=None) == expected
    assert read_fast(value) in (expected, None)
    assert read_fast(encode(b"plain", received=5.0, peer="p", listener="udp")) == Line("plain", 5.0, "p", "udp", "")


KEYS = ("logwarden", "message", "received", "peer", "listener", "late", "reason", "message_base64", "n")
VALUES = st.one_of(
    st.sampled_from([1, 1.0, 2, "1", True, None, "", "a", "10.0.0.9", 5.0, 5, -1, 4e10, "eA==", [], {}]),
    st.text(max_size=5),
    st.floats(0, 4e10),
)


@given(
    st.dictionaries(st.sampled_from(KEYS), VALUES), st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS[:5], VALUES))
)
def test_the_fast_way_reads_what_the_slow_one_reads(odd: dict[str, object], more: dict[str, object]) -> None:
    complete = {"logwarden": 1, "message": "x", "received": 5.0, "peer": "10.0.0.9", "listener": "udp"}
    for fields in (odd, complete | odd, complete | more):
        value = json.dumps(fields).encode()
        assert decode_complete(value) is None or read_fast(value) == read(value), value


def test_an_escaped_key_makes_no_envelope() -> None:
    value = rb'{"\u006cogwarden":1,"message":"x","received":5.0,"peer":"p","listener":"udp"}'
    assert decode_complete(value) is None


def test_a_line_that_may_be_late_says_so() -> None:
    value = encode(b"plain", received=5.0, peer="p", listener="http", late=True)
    assert read_fast(value) == read(value) == Line("plain", 5.0, "p", "http", "", late=True)


def test_a_raw_line_takes_sender_and_time_from_the_message() -> None:
    assert read(b"<13>r1 up\xff") == Line("<13>r1 up\udcff", WRITTEN, "10.0.0.9", "", "")


@pytest.mark.parametrize("line", [b'{"message": "a log in JSON"}', b"{", b'{"a": {"logwarden": 1}}', b"[1]"])
def test_other_json_is_a_raw_line(line: bytes) -> None:
    assert read(line) == Line(line.decode(), WRITTEN, "10.0.0.9", "", "")


def test_what_syslog_ng_writes_is_read() -> None:
    value = b'{"received":"1795615201.5","peer":"10.0.0.7","message":"<13>x","logwarden":"1","listener":"tls","n":1}'
    assert read(value) == Line("<13>x", 1_795_615_201.5, "10.0.0.7", "tls", "")


def test_a_short_envelope_is_enough() -> None:
    assert read(b'{"logwarden":1,"message":"x"}') == Line("x", WRITTEN, "10.0.0.9", "", "")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b'{"logwarden":1', "broken envelope: "),
        (b'{"logwarden":2,"message":"x"}', "version 2, expected 1"),
        (b'{"logwarden":1}', "neither message nor message_base64"),
        (b'{"logwarden":1,"message":7}', "neither message nor message_base64"),
        (b'{"logwarden":1,"message_base64":"%"}', "message_base64: "),
        (b'{"logwarden":1,"message":"x","received":"now"}', "received: found 'now'"),
        (b'{"logwarden":1,"message":"x","received":1795615200000}', "received: found '1795615200000'"),
        (b'{"logwarden":1,"message":"x","received":[]}', "received: found '[]'"),
        (b'{"logwarden":1,"message":"x","received":"nan"}', "received: found 'nan'"),
        (b'{"logwarden":1,"message":"x","peer":7}', "have to be text"),
        (b'{"logwarden":1,"message":"x","peer":' + b"[" * 5000, "broken envelope: "),
        (None, "without a value"),
    ],
)
def test_what_cannot_be_read_has_a_reason_and_keeps_what_was_found(value: bytes | None, reason: str) -> None:
    line = read(value)
    assert decode_complete(value) is None
    assert reason in line.reason
    assert line.text == (value or b"").decode()
    assert (line.received, line.peer) == (WRITTEN, "10.0.0.9")


def test_a_reason_of_the_collector_is_handed_on() -> None:
    value = encode(b"half", received=5.0, peer="p", listener="tcp", reason="connection closed")
    assert read_fast(value) == read(value) == Line("half", 5.0, "p", "tcp", "connection closed")


@pytest.mark.parametrize("letter", [b"a", b"\0", b"\xff", "ä".encode(), "😀".encode()])
def test_a_line_that_is_too_long_is_cut_so_that_it_is_told_from_the_longest_one(letter: bytes) -> None:
    value = encode(letter * 20_000_000, received=5.0)
    assert len(value) < 900_000, "has to fit into a message"
    assert len(read(value).text) == MAX_LINE_BYTES + 1


def test_an_envelope_of_others_is_cut_as_well() -> None:
    value = json.dumps({"logwarden": 1, "message": "a" * 100_000}).encode()
    assert len(read(value).text) == MAX_LINE_BYTES + 1
