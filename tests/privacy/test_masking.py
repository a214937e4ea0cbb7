"""What is masked in a line, and what it becomes."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logwarden.api.load import load_resources
from logwarden.api.log_pipeline import LogPipeline
from logwarden.errors import InvalidInputError
from logwarden.local.privacy import at_detection
from logwarden.mask import line_text
from logwarden.privacy import Privacy, Pseudonyms

KEY = b"a key of sixteen bytes or more"
ALL = Privacy(["ip", "user", "mac", "email", "secret"], KEY)

SENSITIVE = [
    ("Failed password for invalid user alice from 203.0.113.9 port 22 ssh2", ["alice", "203.0.113.9"]),
    ("pam_unix(sshd:session): session opened for user bob(uid=1000) by bob(uid=0)", ["bob"]),
    ("carol : TTY=pts/0 ; PWD=/home/carol ; USER=root ; COMMAND=/bin/ls", ["carol"]),
    ("%SEC_LOGIN-5-LOGIN_SUCCESS: Login Success [user: dave] [Source: 2001:db8::17]", ["dave", "2001:db8::17"]),
    ('{"user":"erin","src":"10.1.2.3","token":"t0ps3cret"}', ["erin", "10.1.2.3", "t0ps3cret"]),
    ("IP 10.1.2.3.55555 > 192.0.2.7.443: Flags [S]", ["10.1.2.3", "192.0.2.7"]),
    ("seen ::ffff:10.1.2.3 at 12:30:45:10.1.2.4", ["10.1.2.3", "10.1.2.4"]),
    ("DHCPACK on 10.1.2.3 to 00:1b:44:11:3a:b7 via eth0", ["10.1.2.3", "00:1b:44:11:3a:b7"]),
    ("station 001b.4411.3ab7 and 00-1B-44-11-3A-B7 joined", ["001b.4411.3ab7", "00-1B-44-11-3A-B7"]),
    ("bounced <frank.o@example.org>: mailbox full", ["frank", "example.org"]),
    ("GET /x HTTP/1.1 Authorization: Bearer abcdef0123456789", ["abcdef0123456789"]),
    ("fetching https://grace:hunter2@git.example.org/x.git", ["hunter2"]),
    ("login=heidi password='two words' ok", ["heidi", "two words"]),
    ("enable secret 9 $9$nhEmQVczB7dqsO$X.HsgL6x1il0RxkOSSvyQ", ["$9$nhEm"]),
    ("snmp-server community pr1vate RO", ["pr1vate"]),
    ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcDEF123 used by AKIAABCDEFGHIJKLMNOP", ["eyJ", "AKIA"]),
]


@pytest.mark.parametrize(("line", "values"), SENSITIVE)
def test_nothing_sensitive_is_left(line: str, values: list[str]) -> None:
    masked = ALL.text(line)
    assert [value for value in values if value.lower() in masked.lower()] == []
    assert ALL.line(line.encode()).decode() == masked


@pytest.mark.parametrize(
    "line",
    [
        "Accepted publickey for root from NUM",
        "OSPF: 224.0.0.5 on eth0, mask 255.255.255.0, wildcard 0.0.0.255, any 0.0.0.0, local 127.0.0.1 and ::1",
        "Failed password for a user",
        "kernel 6.1.0-17 at 12:30:45, object 1.3.6.1.4.1.9.9.41, flood ff:ff:ff:ff:ff:ff and 01:00:5e:00:00:05",
        "BGP community 65000:100 of peer group core",
        "key exchange failed, token bucket empty",
    ],
)
def test_what_names_no_machine_and_no_person_stays(line: str) -> None:
    assert ALL.text(line) == line


def test_only_what_is_asked_for_is_masked() -> None:
    line = "user=alice from 10.1.2.3 password=x"
    assert Privacy(["secret"], KEY).text(line) == "user=alice from 10.1.2.3 password=SECRET"
    assert "alice" in Privacy(["ip"], KEY).text(line)
    assert Privacy(["user"], KEY).text(line).endswith(" from 10.1.2.3 password=x")


def test_json_stays_json() -> None:
    masked = json.loads(ALL.text('{"user": "erin", "password": "a\\"", "nested": {"api_key": "k", "n": 7}}'))
    assert masked["nested"] == {"api_key": "SECRET", "n": 7}


def test_equal_values_stay_equal_under_one_key_only() -> None:
    first, second = ALL.text("Invalid user alice from 10.1.2.3"), ALL.text("user=Alice at [10.1.2.3]:22")
    user, address = first.split()[2], first.split()[4]
    assert user in second
    assert address in second
    other = Privacy(["ip", "user"], b"another key of sixteen bytes").text("Invalid user alice from 10.1.2.3")
    assert (other.split()[2], other.split()[4]) != (user, address)
    names = Pseudonyms(KEY)
    assert names.mac("001b.4411.3ab7").replace(".", "") == names.mac("00:1b:44:11:3a:b7").replace(":", "")


@settings(deadline=None)
@given(st.ip_addresses(v=4), st.integers(0, 32), st.integers(0, 2**32 - 1))
def test_addresses_of_one_subnet_stay_in_one_subnet(address: ipaddress.IPv4Address, shared: int, rest: int) -> None:
    keep = (2**32 - 1) << (32 - shared) & (2**32 - 1)
    other = ipaddress.IPv4Address(int(address) & keep | rest & ~keep & (2**32 - 1))
    names = Pseudonyms(KEY)
    one, two = names._preserving_prefixes(address), names._preserving_prefixes(other)
    assert _common(int(one), int(two)) == _common(int(address), int(other))


def _common(one: int, two: int) -> int:
    return 32 - (one ^ two).bit_length()


@settings(deadline=None)
@given(st.ip_addresses())
def test_an_address_becomes_an_address_that_names_a_machine(address: ipaddress.IPv4Address) -> None:
    text = str(address)
    found = ipaddress.ip_address(Pseudonyms(KEY).ip(text))
    assert found.version == address.version
    assert not found.is_multicast or address.is_multicast


@settings(deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_taken(text: str) -> None:
    ALL.text(text)
    ALL.line(text.encode("utf-8", "surrogatepass"))


def test_templates_stay_what_they_are() -> None:
    for line, _ in (SENSITIVE[0], SENSITIVE[7]):
        assert line_text("app", ALL.text(line)) == line_text("app", line)


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="16"):
        Pseudonyms(b"short")


COLLECT_BY = {
    "nothing": ("{}", False),
    "nodes": ("{nodes: true}", False),
    "HTTP": ("{http: {enabled: true}}", True),
    "syslog": ("{syslog: {listeners: [{name: udp, transport: UDP, port: 5514}]}}", True),
}


@pytest.mark.parametrize("at", ["Collection", "Detection"])
@pytest.mark.parametrize("source", COLLECT_BY)
def test_a_detector_does_not_trust_that_others_mask(tmp_path: Path, source: str, at: str) -> None:
    collect, masks = COLLECT_BY[source]
    file = tmp_path / "pipeline.yaml"
    file.write_text(f"""
apiVersion: logwarden.dev/v1alpha1
kind: LogPipeline
metadata: {{name: test}}
spec:
  collect: {collect}
  kafka: {{bootstrapServers: "kafka.example:9092"}}
  detect: {{modelRef: {{name: test}}}}
  privacy: {{mask: [ip], at: {at}, keySecretRef: {{name: privacy, key: key}}}}
""")
    (pipeline,) = (one for one in load_resources(file) if isinstance(one, LogPipeline))
    if at == "Detection":
        assert at_detection(pipeline, ALL) is ALL
    elif masks:
        assert at_detection(pipeline, ALL) is None
    else:
        with pytest.raises(InvalidInputError, match=r"^spec\.privacy\.at: found Collection"):
            at_detection(pipeline, ALL)
