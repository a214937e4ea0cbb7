"""Sensitive values become placeholders before a text leaves the process, and come back in the answer."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, Literal

from logwarden.api.record import AnomalyRecord
from logwarden.explain import english, values

Kind = Literal["ip", "user", "mac", "email"]

EMAIL = re.compile(r"[\w.+%-]++(?:@[\w-]+(?:\.[\w-]+)+)?")
"""Also matches words that are no address, see :func:`is_email`: looking for one at each letter would take too long."""
MAC = re.compile(
    r"(?<![0-9a-f:.-])(?:[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4,6}[0-9a-f]{2}|(?:[0-9a-f]{4}[.:-]){2}[0-9a-f]{4}|"
    r"(?=[0-9a-f]*[a-f])[0-9a-f]{12})(?![0-9a-f:-])",
    re.IGNORECASE,
)
_IPV4 = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d]|\.\d)")
IPV6 = re.compile(
    r"(?<![0-9a-z:.])[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?:(?:\d{1,3}\.){3}\d{1,3})?(?![0-9a-z:])", re.IGNORECASE
)

_NAME = r"[\"'\[<(]?([\w][\w.@\\$+-]*)"
_USER = re.compile(
    rf"(?:\b(?:invalid user|illegal user|session (?:opened|closed) for user|"
    rf"by user|for user|from user|username|user|account|acct|login|"
    rf"logname|ruser|suser|duser|usrname|uname|auser|sender|principal|logged in as)"
    rf"(?:[\"']? ?[=:] ?| ){_NAME}"
    rf"|\b(?:password|publickey|none|keyboard-interactive(?:/pam)?|gssapi-with-mic|hostbased) for {_NAME}"
    rf"|\b(?:authenticating|by|for|from) {_NAME}(?= (?:from|on vty|on pts|port|\())"
    rf"|(?:^|[\s\]:]){_NAME} : (?:TTY|PWD|user NOT|command not)"
    rf"|\bCRON(?:(?!\bCRON)[^(])*\({_NAME}\))",
    re.IGNORECASE,
)
# One of these is in every text that the pattern matches: looking for them is faster.
_USER_HINTS = (
    *("user", "account", "acct", "login", "logname", "uname", "sender", "principal", "logged in as", "by "),
    *("for ", "from ", " : tty", " : pwd", " : command not", "cron"),
)
_PLACEHOLDER = re.compile(r"\b(?:IP|USER|MAC|EMAIL)\d+\b")
_USER_FACTS = frozenset({"user", "username", "account", "login"})

_NO_USERS = english.COMMON_WORDS | {
    "user", "ip", "mac", "email", "num", "hex", "path", "name", "host", "port", "none", "null", "ssh2", "tty",
    "password", "publickey", "rhost", "uid", "euid", "authentication", "agent", "pam", "console", "vty", "line",
    "tcp", "udp", "icmp", "inside", "outside", "dst", "src",
}  # fmt: skip


class Mask:
    """The placeholders of one request.

    Parameters
    ----------
    kinds
        What is masked: ``ip``, ``user``, ``mac``, ``email``.
    record
        The record the request is about: user names are learned from its lines, wherever they stand afterwards.
    """

    def __init__(self, kinds: Collection[Kind], record: AnomalyRecord) -> None:
        self._kinds = frozenset(kinds)
        self._placeholders: dict[str, str] = {}
        self._taken = frozenset(_PLACEHOLDER.findall(" ".join(_texts(record))))
        self._users = self._user_pattern(record) if "user" in self._kinds else None

    def hide(self, value: Any) -> Any:
        """Return JSON values with the sensitive parts of their texts replaced, equal parts by equal placeholders."""
        if isinstance(value, str):
            return self._hide_text(values.plain_text(value))
        if isinstance(value, dict):
            return {key: self.hide(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.hide(item) for item in value]
        return value

    def reveal(self, text: str) -> str:
        """Put the values back in; a placeholder that was never given out stays."""
        originals = {placeholder: original for original, placeholder in self._placeholders.items()}
        return _PLACEHOLDER.sub(lambda match: originals.get(match[0], match[0]), text)

    def _hide_text(self, text: str) -> str:
        for kind, pattern, is_one in _PATTERNS:
            if kind in self._kinds:
                text = self._replace(kind, pattern, is_one, text)
        return self._replace("user", self._users, None, text) if self._users else text

    def _replace(self, kind: Kind, pattern: re.Pattern[str], is_one: Callable[[str], bool] | None, text: str) -> str:
        def placeholder(match: re.Match[str]) -> str:
            return self._placeholder(kind, match[0]) if is_one is None or is_one(match[0]) else match[0]

        return pattern.sub(placeholder, text)

    def _placeholder(self, kind: Kind, original: str) -> str:
        known = self._placeholders.get(original)
        if known is None:
            known = next(name for name in self._names(kind) if name not in self._taken)
            self._placeholders[original] = known
        return known

    def _names(self, kind: Kind) -> Iterator[str]:
        used = set(self._placeholders.values())
        numbers = range(1, len(used) + len(self._taken) + 2)
        return (name for number in numbers if (name := f"{kind.upper()}{number}") not in used)

    @staticmethod
    def _user_pattern(record: AnomalyRecord) -> re.Pattern[str] | None:
        users = set(_users(record))
        if not users:
            return None
        names = "|".join(re.escape(user) for user in sorted(users, key=lambda user: (-len(user), user)))
        return re.compile(rf"(?<![\w-])(?:{names})(?![\w-])", re.IGNORECASE)


def is_email(text: str) -> bool:
    """Whether a match of :data:`EMAIL` is an address."""
    return "@" in text


def is_ip(text: str) -> bool:
    """Whether a match of :data:`IPV6` or of the pattern of IPv4 is an address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return _IPV4.fullmatch(text) is not None
    return any(char.isalnum() for char in text)


_PATTERNS: tuple[tuple[Kind, re.Pattern[str], Callable[[str], bool] | None], ...] = (
    ("email", EMAIL, is_email),
    ("mac", MAC, None),
    ("ip", IPV6, is_ip),
    ("ip", _IPV4, is_ip),
)
"""In this order: the host part of an e-mail address and a MAC address could be taken for something else."""


def _texts(record: AnomalyRecord) -> Iterable[str]:
    source = record.source
    yield from (values.plain_text(line.text) for line in record.lines)
    yield from (
        values.plain_text(text) for text in (record.template.text, source.host, source.app, source.address) if text
    )
    for evidence in record.evidence:
        yield from (values.plain_text(fact) for fact in evidence.facts.values() if isinstance(fact, str))


def user_names(text: str) -> Iterator[str]:
    """Yield the names of users that stand where a log line names a user."""
    lower = text.lower()
    if not any(hint in lower for hint in _USER_HINTS):
        return
    for match in _USER.finditer(text):
        name = next(group for group in match.groups() if group).rstrip(".-")
        if name.lower() not in _NO_USERS and not name.isdigit():
            yield name


def _users(record: AnomalyRecord) -> Iterable[str]:
    for text in _texts(record):
        yield from user_names(text)
    for evidence in record.evidence:
        yield from (str(fact) for key, fact in evidence.facts.items() if key in _USER_FACTS and str(fact).strip())
