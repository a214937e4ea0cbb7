"""Sensitive values become placeholders before a text leaves the process, and come back in the answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, Literal

from logwarden.api.record import AnomalyRecord
from logwarden.explain import values
from logwarden.text.sensitive import EMAIL, IPV4, IPV6, MAC, is_email, is_ip, user_names

Kind = Literal["ip", "user", "mac", "email"]

_PLACEHOLDER = re.compile(r"\b(?:IP|USER|MAC|EMAIL)\d+\b")
_USER_FACTS = frozenset({"user", "username", "account", "login"})


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


_PATTERNS: tuple[tuple[Kind, re.Pattern[str], Callable[[str], bool] | None], ...] = (
    ("email", EMAIL, is_email),
    ("mac", MAC, None),
    ("ip", IPV6, is_ip),
    ("ip", IPV4, is_ip),
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


def _users(record: AnomalyRecord) -> Iterable[str]:
    for text in _texts(record):
        yield from user_names(text)
    for evidence in record.evidence:
        yield from (str(fact) for key, fact in evidence.facts.items() if key in _USER_FACTS and str(fact).strip())
