"""Masks that need more than one word: requests in web logs, names in DNS, DHCP and login messages."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

_COMBINED: Final = re.compile(
    r"^(\S+) \S+ (\S+) \[[^\]]*\] \"([^\"]*)\" ([1-5]\d\d) (?:\d+|-)(?: \"[^\"]*\" \"([^\"]*)\")?"
)
_REQUEST: Final = re.compile(r"\"([A-Z]{3,10}) [^\"]* HTTP/\d(?:\.\d)?\"")
_OPENED: Final = re.compile(r"(open\(\)|referrer:|upstream:) \"[^\"]*\"")
_QUOTED_HOST: Final = re.compile(r"(host:|server:) \"[^\"]*\"")
_METHODS: Final = frozenset(
    ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE", "PROPFIND")
)
_AGENT: Final = re.compile(r"[A-Za-z][A-Za-z-]{1,23}(?![A-Za-z])")


def mask_web(message: str) -> str:
    """Mask requests of a web server's access or error log; other messages come back as they are.

    The status is kept as ``status=404``, the method and the family of the agent are kept; paths, sizes, referrers and
    versions go.
    """
    match = _COMBINED.match(message)
    if match is not None:
        client, user, request, status, agent = match.groups()
        words = [client, *_request_words(request), f"status={status}"]
        if user not in ("-", ""):
            words.insert(1, "USER")
        if agent is not None:
            family = _AGENT.match(agent)
            words.append(f"agent={family[0]}" if family else "agent=-")
        return " ".join(words) + message[match.end() :]
    if " HTTP/" not in message:
        return message
    message = _REQUEST.sub(r'"\1 PATH"', message)
    return _QUOTED_HOST.sub(r'\1 "HOST"', _OPENED.sub(r'\1 "PATH"', message))


def _request_words(request: str) -> tuple[str, ...]:
    method, _, rest = request.partition(" ")
    if method not in _METHODS:
        return ("BADREQUEST",)
    target = rest.partition(" HTTP/")[0]
    return (method, "PATH?QUERY" if "?" in target else "PATH")


_PEER: Final = r"(?:IPV?6?|HOST|UNKNOWN)"
_LOGIN: Final = re.compile(
    r"\b(for invalid user|for illegal user|[Ii]nvalid user|[Ii]llegal user|authenticating user|from user|by user) "
    rf"(?!root )(\S.{{0,99}}?)(?= from {_PEER}\b| {_PEER} port)"
)
_ACCEPTED: Final = re.compile(rf"\b(for) (?!root |USER )(\S+)(?= from {_PEER} port NUM)")
_SESSION: Final = re.compile(
    r"\b(for user) (?!root\b|USER\b)([^\s(.,]+)|\b(of user) (?!root\b|USER\b)([^\s.,]+)(?=\.?$)"
)
_QUOTED_USER: Final = re.compile(r"\b([Uu]ser) (['\"])(?!root\b)[^'\"]*\2")
_SUDO: Final = re.compile(r"^(?!root )(\S+) : (?=TTY=|PWD=|user NOT|\w+ incorrect)")
_DNS: Final = re.compile(
    r"\b((?:query|dnssec-query|auth)\[[\w=-]+\]|forwarded|reply|cached|cached-stale|config|DHCP|/etc/hosts)"
    r" (?!error )(\S+) (from|to|is) (\S+)"
)
_DHCP_NAME: Final = re.compile(
    r"(DHCP[A-Z]+\(\S+\)(?: IP)* MAC) (\S+)$|(client provides name:|option: NUM hostname) .*$|(vendor class:) .*$"
)
# FRR writes sequence numbers in hexadecimal without a mark: some have digits only.
_SEQUENCE: Final = re.compile(r"\b(seq_?num:|local:)(?!HEX\b)[^\s,]+")
_CALENDAR: Final = re.compile(
    r"\b(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? )?(?:(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]* NUM|NUM"
    r" (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*),? (?:NUM )?TIME(?: (?:[A-Z]{3,4} )?NUM)?(?=\W|$)"
)
# Lists of values: how many there are says little, and every length would be a text of its own.
_REPEATS: Final = re.compile(r"(?<!\S)((?:NUM|HEX|IP|IPV6|MAC|TIME|DATE|ID|HOST|blk_NUM)[,;]?)(?: \1){2,}(?!\S)")
_LISTS: Final = re.compile(r"(?<!\w)(NUM|HEX|IP|IPV6)(?:,\1){2,}(?!\w)")
_DNS_ANSWERS: Final = frozenset(
    ("IP", "IPV6", "HOST", "NXDOMAIN", "SERVFAIL", "REFUSED", "CNAME", "DNSKEY", "DS", "TXT", "duplicate")
)


def _dns(match: re.Match[str]) -> str:
    kind, name, word, value = match.groups()
    if name not in ("IP", "IPV6"):
        name = "HOST"
    if word == "is" and value not in _DNS_ANSWERS and not value.startswith("NODATA"):
        value = "HOST"
    return f"{kind} {name} {word} {value}"


def _session(match: re.Match[str]) -> str:
    return f"{match[1] or match[3]} USER"


def _dhcp(match: re.Match[str]) -> str:
    return f"{match[1] or match[3] or match[4]} NAME"


# Applied in this order.
_RULES: Final[tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...]] = (
    (_LOGIN, r"\1 USER"),
    (_ACCEPTED, r"\1 USER"),
    (_SESSION, _session),
    (_QUOTED_USER, r"\1 \2USER\2"),
    (_SUDO, "USER : "),
    (_DNS, _dns),
    (_DHCP_NAME, _dhcp),
    (_SEQUENCE, r"\1HEX"),
    (_CALENDAR, "DATE"),
    (_REPEATS, r"\1 \1"),
    (_LISTS, r"\1,\1"),
)


def mask_context(text: str) -> str:
    """Mask the names that only their neighbours give away. ``text`` has its words masked already."""
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text
