"""Where a log line tells of persons and addresses."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from logwarden.text import english

EMAIL = re.compile(r"[\w.+%-]++(?:@[\w-]+(?:\.[\w-]+)+)?")
"""Also matches words that are no address, see :func:`is_email`: looking for one at each letter would take too long."""
MAC = re.compile(
    r"(?<![0-9a-f:.-])(?:[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4,6}[0-9a-f]{2}|(?:[0-9a-f]{4}[.:-]){2}[0-9a-f]{4}|"
    r"(?=[0-9a-f]*[a-f])[0-9a-f]{12})(?![0-9a-f:-])",
    re.IGNORECASE,
)
IPV4 = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d]|\.\d)")
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

_NO_USERS = english.COMMON_WORDS | {
    "user", "ip", "mac", "email", "num", "hex", "path", "name", "host", "port", "none", "null", "ssh2", "tty",
    "password", "publickey", "rhost", "uid", "euid", "authentication", "agent", "pam", "console", "vty", "line",
    "tcp", "udp", "icmp", "inside", "outside", "dst", "src",
}  # fmt: skip


def is_email(text: str) -> bool:
    """Whether a match of :data:`EMAIL` is an address."""
    return "@" in text


def is_ip(text: str) -> bool:
    """Whether a match of :data:`IPV6` or of the pattern of IPv4 is an address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return IPV4.fullmatch(text) is not None
    return any(char.isalnum() for char in text)


def user_names(text: str) -> Iterator[str]:
    """Yield the names of users that stand where a log line names a user."""
    lower = text.lower()
    if not any(hint in lower for hint in _USER_HINTS):
        return
    for match in _USER.finditer(text):
        name = next(group for group in match.groups() if group).rstrip(".-")
        if name.lower() not in _NO_USERS and not name.isdigit():
            yield name
