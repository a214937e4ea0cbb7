"""Finding secrets in log lines: by the words before them, or by their shape."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

SECRET: Final = "SECRET"  # noqa: S105 - the word that is shown
"""Stands for every secret. Not a pseudonym: who could compare secrets could also guess them."""

_NAMES: Final = (
    r"pass(?:word|wd|phrase|code)?|pwd|(?:client[-_ ]?)?secret|(?:(?:access|auth|refresh|id|bearer|csrf)[-_]?)?token|"
    r"(?:x-)?api[-_ ]?key|access[-_]?key(?:[-_]?id)?|secret[-_]?(?:access[-_]?)?key|(?:private|encryption)[-_]?key|"
    r"pre-?shared-?key|psk|community|credentials?|session[-_]?(?:id|key|token)|sessid|(?:set-)?cookie|otp|pin"
)


def _quoted(match: re.Match[str]) -> str:
    """Keep the quotes, so that JSON stays JSON."""
    name, value = match[1], match[0][len(match[1]) :]
    quote = value[0] if value[0] in "\"'" else ""
    return f"{name}{quote}{SECRET}{quote}"


def _web_token(match: re.Match[str]) -> str:
    """Keep what only begins like one."""
    return SECRET if match[1] else match[0]


# Each takes time in proportion to the length of a text, whatever is in it: no pattern looks at the same part from many
# places at which a match could begin.
_RULES: Final[tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...]] = (
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL), SECRET),
    (
        re.compile(
            r"(\bauthorization[\"']?\s*[=:]\s*[\"']?)(?:(?:basic|bearer|digest|negotiate|splunk|token)\s+)?[^\s\"',;]+",
            re.I,
        ),
        rf"\1{SECRET}",
    ),
    (re.compile(r"(\bbearer\s+)[\w.~+/=-]{8,}", re.I), rf"\1{SECRET}"),
    (re.compile(r"(?<=[a-z0-9+.-])(://[^\s/:@\"']*:)[^\s/@\"']++(?=@)", re.I), rf"\1{SECRET}"),
    (
        re.compile(
            rf"(?<![a-z0-9])((?:{_NAMES})[\"']?\s*[=:]\s*)(?:\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^\s\"',;&)\]}}]+)", re.I
        ),
        _quoted,
    ),
    # As devices write their configuration: "enable secret 9 $9$...", "key 7 0822455D0A16".
    (re.compile(r"(\b(?:secret|password|key|key-string|md5)\s+[0-9]{1,2}\s+)\S+"), rf"\1{SECRET}"),
    (re.compile(r"(\bsnmp-server\s+community\s+)\S+"), rf"\1{SECRET}"),
    # By shape: JSON web tokens, and keys of clouds and code forges.
    (re.compile(r"\beyJ[\w-]{10,}+(\.[\w-]{10,}+\.[\w-]*)?"), _web_token),
    (
        re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bgh[oprsu]_\w{30,}|\bglpat-[\w-]{20,}|\bxox[abprs]-[\w-]{10,}"),
        SECRET,
    ),
)
# One of these is in every text that a rule matches: looking for them is faster than the rules.
_HINTS: Final = (
    *("pass", "pwd", "secret", "token", "key", "auth", "bearer", "://", "community", "psk", "cred", "sess", "cookie"),
    *("otp", "pin", "eyj", "akia", "asia", "gho_", "ghp_", "ghr_", "ghs_", "ghu_", "glpat", "xox", "md5"),
)


def hide_secrets(text: str) -> str:
    """Return a text with :data:`SECRET` for passwords, tokens and keys; what named them stays."""
    lower = text.lower()
    if not any(hint in lower for hint in _HINTS):
        return text
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text
