"""What masking replaces, what it keeps, and what it promises for any text."""

from __future__ import annotations

import time
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logwarden.mask import LONGEST, line_text, mask


@pytest.mark.parametrize(
    ("message", "masked"),
    [
        ("took 17 of 42 tries, -3.5 left", "took NUM of NUM tries, NUM left"),
        ("12ms 4KiB 1,234,567 bytes", "NUMms NUMKiB NUM bytes"),
        ("from 192.0.2.7:443 to [2001:db8::1]:53", "from IP:NUM to [IPV6]:NUM"),
        ("fe80::1%eth0 ::1 10.0.0.0/8", "IPV6 IPV6 IP/NUM"),
        ("02:42:ac:11:00:02 and 0242.ac11.0002", "MAC and MAC"),
        ("mail to ann@example.com failed", "mail to EMAIL failed"),
        ("getty@tty1.service started", "getty@ttyNUM.service started"),
        ("see https://example.com/a?b=1 now", "see URL now"),
        ("2026-05-10T11:59:58.1Z 2026-05-10 11:59:58", "DATE DATE TIME"),
        ("up 3d04h, since Sun May 10 11:59:58 2026", "up TIME, since DATE"),
        ("id 123e4567-e89b-12d3-a456-426614174000 key 0x1f code deadbeef01", "id UUID key HEX code HEX"),
        ("session kJ8x2Qp4Zr9 of worker-12", "session ID of worker-NUM"),
        ("Interface GigabitEthernet0/1 and r1-eth0 and ge-0/0/1.0", "Interface IFACE and IFACE and IFACE"),
        ("lookup of www.example.com. failed", "lookup of HOST. failed"),
        ("reload of nginx.service by ssh2 over ipv6", "reload of nginx.service by ssh2 over ipv6"),
        ("%OSPF-5-ADJCHG: Process 1, Nbr 192.0.2.1 from FULL to DOWN", "%OSPF-5-ADJCHG: Process NUM, Nbr IP from FULL to DOWN"),  # noqa: E501
        ("%ASA-4-106023: Deny tcp src outside:192.0.2.9/1034", "%ASA-4-106023: Deny tcp src outside:IP/NUM"),
        ("[ABCDE-12345] %ADJCHANGE: neighbor 192.0.2.3(r4) Up", "[ABCDE-12345] %ADJCHANGE: neighbor IP(rNUM) Up"),
        ("SPT=40112 DPT=22 LEN=60", "SPT=NUM DPT=22 LEN=NUM"),
        ("SPT=40112 DPT=40113", "SPT=NUM DPT=NUM"),
        ("{a} <b>\\c^d`e~f", "a b c d e f"),
        ("regs 1 2 3 4 5 6 7", "regs NUM NUM"),
        ("", ""),
        ("{}", ""),
    ],
)  # fmt: skip
def test_values_become_words(message: str, masked: str) -> None:
    assert mask(message) == masked


@pytest.mark.parametrize(
    ("message", "masked"),
    [
        ("Failed password for ann from 192.0.2.7 port 40112 ssh2", "Failed password for USER from IP port NUM ssh2"),
        ("Failed password for root from 192.0.2.7 port 40112 ssh2", "Failed password for root from IP port NUM ssh2"),
        ("Invalid user no body from 192.0.2.7 port 40112", "Invalid user USER from IP port NUM"),
        ("session opened for user ann(uid=1000) by (uid=0)", "session opened for user USER(uid=NUM) by (uid=NUM)"),
        ("authentication failure; rhost=192.0.2.7 user=ann", "authentication failure; rhost=IP user=USER"),
        ("ann : TTY=pts/0 ; PWD=/home/ann ; USER=root ; COMMAND=/bin/ls",
         "USER : TTY=pts/NUM ; PWD=/home/USER ; USER=root ; COMMAND=/bin/ls"),
        ("Accepted publickey for ann from 192.0.2.7 port 1 ssh2: ED25519 SHA256:AbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcdefg",  # noqa: E501
         "Accepted publickey for USER from IP port NUM ssh2: ED25519 SHA256:HASH"),
        ("query[A] some-host from 192.0.2.7", "query[A] HOST from IP"),
        ("reply cdn.example.net is <CNAME>", "reply HOST is CNAME"),
        ("reply bad.example.net is NXDOMAIN", "reply HOST is NXDOMAIN"),
        ("DHCPACK(eth1) 192.0.2.7 02:00:5e:00:01:2a annes-phone", "DHCPACK(IFACE) IP MAC NAME"),
        ("Received End-of-RIB for IPv4 Unicast from 192.0.2.7 in vrf x", "Received End-of-RIB for IPv4 Unicast from IP in vrf x"),  # noqa: E501
    ],
)  # fmt: skip
def test_names_are_found_by_their_neighbours(message: str, masked: str) -> None:
    assert mask(message) == masked


@pytest.mark.parametrize(
    ("message", "masked"),
    [
        ('192.0.2.5 - - [10/May/2026:11:59:58 +0000] "GET /a/b?c=1 HTTP/1.1" 200 512 "-" "Mozilla/5.0 (X11; Linux)"',
         "IP GET PATH?QUERY status=200 agent=Mozilla"),
        ('192.0.2.5 - ann [10/May/2026:11:59:58 +0000] "POST /login HTTP/2.0" 503 0 "http://x/" "curl/8.1"',
         "IP USER POST PATH status=503 agent=curl"),
        ('192.0.2.5 - - [10/May/2026:11:59:58 +0000] "\\x16\\x03\\x01" 400 150 "-" "-"',
         "IP BADREQUEST status=400 agent=-"),
        ('2026/05/10 11:59:58 [error] 7#7: *1 open() "/srv/x y" failed (2: gone), request: "GET /x%20y HTTP/1.1", host: "www"',  # noqa: E501
         'DATE TIME [error] NUM#NUM: *NUM open() "PATH" failed (NUM: gone), request: "GET PATH", host: "HOST"'),
    ],
)  # fmt: skip
def test_requests_keep_method_status_and_agent(message: str, masked: str) -> None:
    assert mask(message) == masked


def test_lines_that_differ_in_values_only_become_one() -> None:
    lines = {
        mask(f"Accepted password for user{n} from 192.0.2.{n} port {4000 + n} ssh2 in 0.{n} s, id {n:08x}a1b2c3d4")
        for n in range(200)
    }
    assert len(lines) == 1


_FRAGMENTS = r"""
10.0.0.1 2001:db8::1 fe80::1%eth0 aa:bb:cc:dd:ee:ff bob@example.com eth0 r1-eth0 www.example.com 0x1f deadbeef1
12:30:01 2026-11-22 2026-11-22T20:00:00Z for user from port 22 "GET /x HTTP/1.1" 404 "-" { } < > \ ^ ` ~
status=404 DPT=22 SPT=1 Invalid invalid root alice : - = / %SYS-5-CONFIG_I: [ABCDE-12345] :: NUM IP is to
query[A] reply DHCPACK(eth0) MAC name: TTY= /home/ user= ' TIME Nov Mon SHA256: seqnum: HEX .com . @ é 1e9 5ms
1d2h abc1def2ghi3 + ( ) [ ] , x _ # | IPV6 HOST USER DATE client provides session opened of DHCP config hostname
option:
"""
WORDS = st.sampled_from(_FRAGMENTS.split()) | st.sampled_from(
    ["\t", "\n", "\0", "\ud800", "\u200b", "\u00a0", "٣", "²", "\x85"]
)
MESSAGES = st.lists(st.tuples(WORDS, st.sampled_from(["", " ", "  "])), max_size=14).map(
    lambda pairs: "".join(word + space for word, space in pairs)
) | st.text(st.characters(codec=None), max_size=120)


@settings(max_examples=500, deadline=None)
@given(MESSAGES)
def test_masking_twice_is_masking_once(message: str) -> None:
    masked = mask(message)
    assert mask(masked) == masked


@settings(max_examples=300, deadline=None)
@given(MESSAGES)
def test_masked_text_is_clean(message: str) -> None:
    masked = mask(message)
    assert masked == " ".join(masked.split())
    assert not set(masked) & set("{}<>\\^`~")
    assert masked.isprintable()


MACS = st.lists(st.integers(0, 255), min_size=6, max_size=6)
AROUND = st.sampled_from(
    ["{}", "from {} port 7", "({})", "[{}]", "src={},", "'{}'", '"{}"', "a: {}", "{}: gone", "<{}>", "x={};", "{}."]
)


@settings(max_examples=300, deadline=None)
@given(AROUND, st.ip_addresses(v=4))
def test_no_ipv4_address_survives(around: str, address: IPv4Address) -> None:
    masked = mask(around.format(address))
    assert str(address) not in masked
    assert not any(char.isdigit() for char in masked.replace("port NUM", ""))


@settings(max_examples=300, deadline=None)
@given(AROUND, st.ip_addresses(v=6), st.booleans())
def test_no_ipv6_address_survives(around: str, address: IPv6Address, long: bool) -> None:
    text = address.exploded if long else str(address)
    assert text not in mask(around.format(text))


@settings(max_examples=300, deadline=None)
@given(AROUND, MACS, st.sampled_from([":", "-"]), st.booleans())
def test_no_mac_address_survives(around: str, numbers: list[int], separator: str, upper: bool) -> None:
    text = separator.join(f"{number:02X}" if upper else f"{number:02x}" for number in numbers)
    assert text not in mask(around.format(text))


@settings(max_examples=300, deadline=None)
@given(AROUND, st.emails())
def test_no_mail_address_survives(around: str, address: str) -> None:
    assert address not in mask(around.format(address))


@pytest.mark.parametrize(
    "piece", ["a", "a.", "a@", "@", "1:", "::", "a-", "-1", "=", '"', "%A-1-", "a/", "1.", "a eth-", "0a", "\ud800"]
)
def test_long_hostile_text_is_masked_in_time(piece: str) -> None:
    started = time.process_time()
    masked = mask(piece * (65_536 // len(piece)))
    assert time.process_time() - started < 3.0
    assert len(masked) <= LONGEST


@pytest.mark.parametrize(
    ("app", "text"),
    [
        ("sshd", "sshd: x"),
        ("sshd[12]", "sshd: x"),
        ("/usr/sbin/cron", "cron: x"),
        ("worker-12", "worker: x"),
        ("mib2d", "mib2d: x"),
        ("", "x"),
        ("77", "x"),
    ],
)
def test_line_text_has_a_stable_app(app: str, text: str) -> None:
    assert line_text(app, "x") == text


def test_line_text_masks_the_message_the_first_time_and_again() -> None:
    for _ in range(2):
        assert line_text("sshd[12]", "Invalid user bob from 192.0.2.1 port 22") == (
            "sshd: Invalid user USER from IP port NUM"
        )


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("7 1234", "NUM NUM"),
        ("LEN=60 ID=59646", "LEN=NUM ID=NUM"),
        ("DPT=22 status=404", "DPT=22 status=404"),
        ("a=b=5 =5", "a=b=NUM =NUM"),
    ],
)
def test_short_and_long_numbers_are_masked_alike(message: str, text: str) -> None:
    assert mask(message) == mask(message) == text
