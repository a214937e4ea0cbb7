"""One table per format: the line as a device writes it, and what the parser must read from it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from logwarden.events import ParsedLine, Rejected
from logwarden.parse import MAX_LINE, LineParser


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


RECEIVED = at("2026-05-10T12:00:00+00:00")


def read(text: str, received: float | None = RECEIVED) -> ParsedLine:
    line = LineParser().parse(text, received)
    assert isinstance(line, ParsedLine), line
    return line


def fields(line: ParsedLine, names: Any) -> dict[str, Any]:
    return {name: getattr(line, name) for name in names}


SYSLOG = [
    (
        "<38>May 10 11:59:58 host7 sshd[4211]: Accepted password for ann from 192.0.2.7 port 40112 ssh2",
        {"format": "rfc3164", "time": at("2026-05-10T11:59:58Z"), "host": "host7", "app": "sshd", "pid": "4211",
         "facility": 4, "severity": 6, "message": "Accepted password for ann from 192.0.2.7 port 40112 ssh2"},
    ),
    (
        "<4>May  1 01:02:03 gw kernel: eth0: link down",
        {"format": "rfc3164", "time": at("2026-05-01T01:02:03Z"), "host": "gw", "app": "kernel", "pid": "",
         "facility": 0, "severity": 4, "message": "eth0: link down"},
    ),
    (
        "May 10 11:59:58 host7 su(pam_unix)[12]: session opened",
        {"format": "rfc3164", "host": "host7", "app": "su(pam_unix)", "pid": "12", "facility": None, "severity": None},
    ),
    ("<13>May 10 11:59:58 host7 a message without a tag", {"host": "host7", "app": "", "message": "a message without a tag"}),  # noqa: E501
    ("<13>May 10 11:59:58 tag: no host here", {"host": "", "app": "tag", "message": "no host here"}),
    ("<30>May 10 11:59:58  box Some App[77]: text", {"host": "box", "app": "Some App", "pid": "77", "message": "text"}),
    (
        "2026-05-10T11:59:58.25+02:00 host7 cron[9]: (root) CMD (true)",
        {"format": "rfc3164", "time": at("2026-05-10T09:59:58.250000Z"), "app": "cron", "pid": "9"},
    ),
    (
        "<30>1 2026-05-10T11:59:58.123456Z host7 app 88 ID47 - \ufeffthe text",
        {"format": "rfc5424", "time": at("2026-05-10T11:59:58.123456Z"), "host": "host7", "app": "app", "pid": "88",
         "facility": 3, "severity": 6, "message": "ID47: the text"},
    ),
    (
        '<165>1 2026-05-10T11:59:58-07:00 h evnt - - [ex@32473 iut="3" note="say \\"hi\\" \\] now"][b@1 k="v"] done',
        {"format": "rfc5424", "time": at("2026-05-10T18:59:58Z"), "pid": "",
         "message": 'iut=3 note="say "hi" ] now" k=v done'},
    ),
    (
        '<165>1 2026-05-10T11:59:58Z h evnt - - [meta sequenceId="7"][timeQuality tzKnown="1"] done',
        {"message": "done"},
    ),
    ("<165>1 - - - - - -", {"format": "rfc5424", "time": None, "host": "", "app": "", "message": ""}),
    ("83 <165>1 2026-05-10T11:59:58Z h evnt - - - counted", {"format": "rfc5424", "host": "h", "message": "counted"}),
    ("<30>systemd[1]: Started the thing.", {"format": "rfc3164", "time": None, "app": "systemd", "pid": "1"}),
    (
        "<999>May 10 11:59:58 host7 app: priority out of range",
        {"format": "rfc3164", "host": "host7", "app": "app", "facility": None, "severity": None},
    ),
]  # fmt: skip

VENDORS = [
    (
        "<187>104: core-1: *May 10 11:59:58.120: %LINK-3-UPDOWN: Interface GigabitEthernet0/1, changed state to down",
        {"format": "cisco-ios", "time": at("2026-05-10T11:59:58.120000Z"), "host": "core-1", "app": "LINK",
         "facility": 23, "severity": 3,
         "message": "%LINK-3-UPDOWN: Interface GigabitEthernet0/1, changed state to down"},
    ),
    (
        "<189>7: May 10 13:59:58.120 CEST: %SYS-5-CONFIG_I: Configured from console by ann",
        {"format": "cisco-ios", "time": at("2026-05-10T11:59:58.120000Z"), "host": "", "app": "SYS"},
    ),
    ("*Mar  1 00:00:01.123 UTC: %SYS-5-RESTART: System restarted", {"format": "cisco-ios", "severity": 5,
                                                                   "time": at("2026-03-01T00:00:01.123000Z")}),
    ("00:01:01: %SYS-5-RESTART: System restarted", {"format": "cisco-ios", "time": None, "host": ""}),
    (
        "<190>40: edge RP/0/RP0/CPU0:May 10 11:59:58.441 : ifmgr[310]: %PKT_INFRA-LINK-3-UPDOWN : Interface down",
        {"format": "cisco-ios", "host": "edge", "app": "ifmgr", "pid": "310", "time": at("2026-05-10T11:59:58.441000Z")},  # noqa: E501
    ),
    (
        "<189>May 10 12:00:00 relay 31: *May 10 11:59:58.100: %OSPF-5-ADJCHG: Nbr 192.0.2.1 from FULL to DOWN",
        {"format": "cisco-ios", "host": "relay", "time": at("2026-05-10T11:59:58.100000Z"), "app": "OSPF"},
    ),
    (
        "<189>2026 May 10 11:59:58 leaf-3 %ETHPORT-5-IF_DOWN_LINK_FAILURE: Interface Ethernet1/7 is down",
        {"format": "cisco-nxos", "host": "leaf-3", "app": "ETHPORT", "time": at("2026-05-10T11:59:58Z")},
    ),
    (
        "<189>leaf-3: 2026 May 10 11:59:58 UTC: %AUTHPRIV-6-SYSTEM_MSG: login",
        {"format": "cisco-nxos", "host": "leaf-3", "severity": 5},
    ),
    (
        "<164>May 10 2026 11:59:58 fw-1 : %ASA-4-106023: Deny tcp src outside:192.0.2.9/1034 dst inside:198.51.100.2/22",  # noqa: E501
        {"format": "cisco-asa", "host": "fw-1", "app": "ASA", "severity": 4, "time": at("2026-05-10T11:59:58Z")},
    ),
    (
        "%ASA-session-5-106100: access-list permitted",
        {"format": "cisco-asa", "severity": 5, "facility": None, "time": None},
    ),
    (
        "<165>May 10 11:59:58 sw2 Ebra: %LINEPROTO-5-UPDOWN: Line protocol on Interface Ethernet4, changed state to up",
        {"format": "eos", "host": "sw2", "app": "Ebra", "facility": 20, "severity": 5},
    ),
    (
        "<28>May 10 11:59:58 mx rpd[2211]: RPD_BGP_NEIGHBOR_STATE_CHANGED: BGP peer 192.0.2.3 changed state",
        {"format": "junos", "host": "mx", "app": "rpd", "pid": "2211"},
    ),
    (
        '<165>1 2026-05-10T11:59:58.7Z mx mgd 30 UI_LOGOUT_EVENT [junos@2636.1.1.1.2.18 username="ann"] User left',
        {"format": "junos", "app": "mgd", "message": "UI_LOGOUT_EVENT: username=ann User left"},
    ),
    (
        "<30>May 10 11:59:58 r2 bgpd[61]: [ABCDE-12345] %ADJCHANGE: neighbor 192.0.2.3(r4) in vrf default Up",
        {"format": "frr", "app": "bgpd", "message": "[ABCDE-12345] %ADJCHANGE: neighbor 192.0.2.3(r4) in vrf default Up"},  # noqa: E501
    ),
    (
        "<134>May 10 11:59:58 waf CEF:0|Acme|Gate|1.2|100|worm \\| stopped|8|src=192.0.2.1 msg=all of it dst=192.0.2.2",
        {"format": "cef", "host": "waf", "app": "Gate", "severity": 3,
         "message": '100: worm | stopped src=192.0.2.1 msg="all of it" dst=192.0.2.2'},
    ),
    (
        "<134>May 10 11:59:58 ids LEEF:2.0|Acme|Probe|3|scan|^|src=192.0.2.1^dst=192.0.2.2^sev=2",
        {"format": "leef", "app": "Probe", "severity": 6, "message": "scan: src=192.0.2.1 dst=192.0.2.2 sev=2"},
    ),
    ("LEEF:1.0|Acme|Probe|3|scan|src=192.0.2.1\tusrName=ann", {"format": "leef", "message": "scan: src=192.0.2.1 usrName=ann"}),  # noqa: E501
]  # fmt: skip

FIELDS = [
    (
        '{"@timestamp": "2026-05-10T11:59:58.5Z", "level": "warn", "host": {"name": "n1"}, "app": "api", "msg": "slow", "ms": 12}',  # noqa: E501
        {"format": "json", "time": at("2026-05-10T11:59:58.500000Z"), "host": "n1", "app": "api", "severity": 4,
         "message": "slow ms=12"},
    ),
    ('{"time": 1778414398123, "log": "container says"}', {"time": 1778414398.123, "message": "container says"}),
    (
        '{"MESSAGE": "m", "HOST": "h", "PROGRAM": "p", "PID": "4", "PRIORITY": "err", "FACILITY": "local2"}',
        {"host": "h", "app": "p", "pid": "4", "severity": 3, "facility": 18, "message": "m"},
    ),
    (
        '<30>May 10 11:59:58 n2 worker[5]: {"event": "done", "took": "2 s", "nested": {"a": [1]}}',
        {"format": "json", "host": "n2", "app": "worker", "pid": "5", "message": 'done took="2 s" nested.a=[1]'},
    ),
    ('{"broken": ', {"format": "plain", "message": '{"broken": '}),
    ("[1, 2]", {"format": "plain"}),
    (
        '<189>date=2026-05-10 time=11:59:58 devname="fg" type="traffic" level="notice" srcip=192.0.2.1 action=deny',
        {"format": "keyvalue", "time": at("2026-05-10T11:59:58Z"), "host": "fg", "app": "traffic", "severity": 5,
         "facility": 23},
    ),
    ("ts=2026-05-10T11:59:58Z level=error component=db msg=lost", {"format": "keyvalue", "app": "db", "severity": 3}),
    ("a=b only", {"format": "plain", "message": "a=b only"}),
]  # fmt: skip

PLAIN = [
    ("just some words", {"format": "plain", "time": None, "host": "", "app": "", "message": "just some words"}),
    (
        "2026-05-10 11:59:58,978 INFO [main] org.acme.app.Runner: started",
        {"time": at("2026-05-10T11:59:58.978000Z"), "severity": 6, "app": "org.acme.app.Runner", "message": "started"},
    ),
    ("2026/05/10 11:59:58 [error] 12#12: *3 open() failed", {"severity": 3, "message": "12#12: *3 open() failed"}),
    (
        "260510 115958 148 WARN dfs.Node: block gone",
        {"time": at("2026-05-10T11:59:58Z"), "pid": "148", "app": "dfs.Node", "severity": 4},
    ),
    (
        "05-10 11:59:58.811  1702  2395 E Manager: crashed",
        {"time": at("2026-05-10T11:59:58.811000Z"), "pid": "1702", "app": "Manager", "severity": 3},
    ),
    ("[Sun May 10 11:59:58 2026] [error] child died", {"time": at("2026-05-10T11:59:58Z"), "message": "child died"}),
    (
        "- 1778414398 2026.05.10 R02-M1 2026-05-10-11.59.58.3 R02-M1 RAS KERNEL FATAL cache error",
        {"time": 1778414398.0, "host": "R02-M1", "app": "KERNEL", "severity": 2, "message": "cache error"},
    ),
    (
        '192.0.2.5 - - [10/May/2026:13:59:58 +0200] "GET / HTTP/1.1" 200 5 "-" "curl/8"',
        {"time": at("2026-05-10T11:59:58Z"), "message": '192.0.2.5 - - [10/May/2026:13:59:58 +0200] "GET / HTTP/1.1" 200 5 "-" "curl/8"'},  # noqa: E501
    ),
    ("1778414398.5 something", {"time": 1778414398.5, "message": "something"}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), SYSLOG + VENDORS + FIELDS + PLAIN)
def test_line_is_read(text: str, expected: dict[str, Any]) -> None:
    assert fields(read(text), expected) == expected


@pytest.mark.parametrize(("text", "expected"), SYSLOG + VENDORS + FIELDS + PLAIN)
def test_second_sight_reads_the_same_as_the_first(text: str, expected: dict[str, Any]) -> None:
    parser = LineParser()
    first = parser.parse(text, RECEIVED)
    assert parser.parse(text, RECEIVED) == first
    assert parser.parse(text, RECEIVED) == first


@pytest.mark.parametrize(
    ("stamp", "received", "year"),
    [
        ("Dec 31 23:59:59", "2027-01-01T00:00:03Z", 2026),
        ("Jan  1 00:00:02", "2026-12-31T23:59:59Z", 2027),
        ("Feb 29 12:00:00", "2028-03-01T00:00:00Z", 2028),
        ("Feb 29 12:00:00", "2027-03-01T00:00:00Z", 2028),
        ("May 10 12:00:00", "2026-05-10T12:00:00Z", 2026),
        ("Nov 10 12:00:00", "2026-05-01T12:00:00Z", 2025),
    ],
)
def test_year_is_the_one_nearest_to_the_receive_time(stamp: str, received: str, year: int) -> None:
    line = read(f"<34>{stamp} h a: m", at(received))
    assert line.time is not None
    assert datetime.fromtimestamp(line.time, UTC).year == year


def test_one_parser_reads_the_same_stamp_in_two_years() -> None:
    parser = LineParser()
    text = "<34>May 10 12:00:00 h a: m"
    for year in (2024, 2026, 2024):
        line = parser.parse(text, at(f"{year}-05-10T12:00:00Z"))
        assert isinstance(line, ParsedLine)
        assert line.time == at(f"{year}-05-10T12:00:00Z")


def test_year_is_the_one_nearest_to_now_without_a_receive_time() -> None:
    now = datetime.now(UTC)
    line = read(f"<34>{now:%b %d %H:%M:%S} h a: m", None)
    assert line.time == pytest.approx(now.timestamp(), abs=1.0)


def test_date_that_does_not_exist_gives_no_time_and_keeps_the_text() -> None:
    line = read("<34>Feb 31 12:00:00 h a: m")
    assert line.time is None
    assert "a: m" in line.message


def test_stamps_without_a_zone_are_read_in_the_configured_one() -> None:
    line = LineParser(ZoneInfo("Europe/Berlin")).parse("<34>May 10 13:59:58 h a: m", RECEIVED)
    assert isinstance(line, ParsedLine)
    assert line.time == at("2026-05-10T11:59:58Z")


def test_ambiguous_zone_abbreviation_is_read_in_the_configured_zone() -> None:
    assert read("<189>7: May 10 11:59:58 IST: %SYS-5-CONFIG_I: x").time == at("2026-05-10T11:59:58Z")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        (" \t ", "empty"),
        ("<34>", "nothing after the priority"),
        ("-- No entries --", "journalctl"),
        ("-- Boot 3c1f0c3c0d5b4bd9a6a3b0f5ce5b2f2e --", "journalctl"),
        ("-- Reboot --", "journalctl"),
        ("-- Journal begins at Sat 2026-05-09 07:28:01 UTC, ends at Sun 2026-05-10 12:00:00 UTC. --", "journalctl"),
        ("-- Logs begin at Sat 2026-05-09 07:28:01 UTC, end at Sun 2026-05-10 12:00:00 UTC. --", "journalctl"),
        ("-- cursor: s=0639;i=7c;b=3c1f;m=5d;t=57f;x=9d", "journalctl"),
        ("\x00\x01\x02\x03binary\x04\x05\x06\x07\x08", "not text"),
        ("\udcff\udcfe\udc80\udc81 a", "not text"),
        ("x" * (MAX_LINE + 1), "longer than 65536"),
        ("<34>May 10 12:00:00 h a: " + "x" * MAX_LINE, "longer than 65536"),
        ("<34>1 2026-05-10T12:00:00Z h a - - - " + "x" * MAX_LINE, "longer than 65536"),
    ],
)
def test_what_cannot_be_read_is_rejected_with_a_reason(text: str, reason: str) -> None:
    parser = LineParser()
    parser.parse("<34>May 10 12:00:00 h a: warm the caches", RECEIVED)
    outcome = parser.parse(text, RECEIVED)
    assert isinstance(outcome, Rejected)
    assert reason in outcome.reason


@pytest.mark.parametrize("text", ["-- MARK --", "-- Boot failed --", "May 10 12:00:00 h a: -- No entries --"])
def test_what_only_looks_like_a_remark_of_journalctl_is_read(text: str) -> None:
    assert read(text).message in text


def test_longest_allowed_line_is_read() -> None:
    assert read("x" * MAX_LINE).message == "x" * MAX_LINE


def test_binary_payload_behind_a_good_header_is_kept() -> None:
    assert read("<34>May 10 12:00:00 h a: \x00\x01\x02\x03\x04\x05\x06\x07" * 1).host == "h"


SEEN_HEADERS = (
    "<34>May 10 12:00:07 h a[7]: m",
    "<34>May 10 12:00:07 h b: m",
    "<34>1 2026-05-10T12:00:07+00:00 h a 7 - - m",
)


@pytest.mark.parametrize(
    "text",
    [
        *SEEN_HEADERS,
        "<34>May 10 12:00:59 h a[8]: another second and process",
        "<34>May 10 12:00:60 h a[7]: leap second",
        "<34>May 10 12:00:61 h a[7]: no second",
        "<34>May 10 12:00:7 h a[7]: one digit",
        "<3x>May 10 12:00:07 h a[7]: no priority",
        "<999>May 10 12:00:07 h a[7]: priority out of range",
        "x34>1 2026-05-10T12:00:07+00:00 h a 7 - - no priority",
        "9 <3>1 2026-05-10T12:00:07+00:00 h a 7 - - octet count",
        "<34>May 10 12:00:07 h a[7] no colon",
        "<34>May 10 12:00:07 h b:[7]: m",
        "<34>1 2026-05-10T12:00:08.25+00:00 h a 7 - - fraction",
        "<34>1 2026-05-10T12:00:08.1234567890+00:00 h a 7 - - fraction that is too long",
        "<34>1 2026-05-10T12:00:08+02:00 h a 7 - - another zone",
        "<34>2026-05-10T12:00:08Z h a[7]: RFC 3164 with an RFC 3339 stamp",
    ],
)
def test_what_was_read_before_makes_no_difference(text: str) -> None:
    parser = LineParser()
    for header in (*SEEN_HEADERS, text, *SEEN_HEADERS):
        parser.parse(header, RECEIVED)
    assert parser.parse(text, RECEIVED) == LineParser().parse(text, RECEIVED)


def test_a_parser_that_runs_for_years_goes_on_splitting_at_a_glance() -> None:
    parser, text = LineParser(), "<13>Oct 20 22:14:15 h a[7]: m"
    for year in (2025, 2026, 2027):
        received = at(f"{year}-10-20T22:14:15+00:00")
        parser.split(text, received)  # forgets the year before
        parser.parse(text, received)
        assert parser.split(text, received) == (received, " h a[7]: m")
