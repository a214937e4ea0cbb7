"""Writing syslog-ng's configuration language so that no value can leave its place."""

from __future__ import annotations

import re
from typing import Final

from logwarden.errors import InvalidInputError

OLDEST: Final = (3, 38)
"""What Debian 12 has. Before 3.33 there were no transactions to Kafka."""

_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "`": "``", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def quoted(text: str) -> str:
    r"""Return text as a string of the language: in double quotes, with ``"`` and ``\`` escaped.

    Back quotes, which stand for variables even within a string, are doubled.

    Raises
    ------
    InvalidInputError
        For control characters, which the language cannot express.
    """
    if any(not character.isprintable() and character not in "\n\r\t" and ord(character) < 0xA0 for character in text):
        raise InvalidInputError(f"{text[:60]!r} holds control characters: syslog-ng cannot be told such a value")
    return '"' + "".join(_ESCAPES.get(character, character) for character in text) + '"'


def with_variable(before: str, variable: str, after: str = "") -> str:
    """Return a string in which syslog-ng puts the value of an environment variable when it starts."""
    return f"{quoted(before)[:-1]}`{variable}`{quoted(after)[1:]}"


def literal(text: str) -> str:
    """Return text for a template: ``$`` begins a macro there, and a doubled one is a dollar."""
    return text.replace("$", "$$")


def version_of(text: str) -> tuple[int, int]:
    """Return major and minor of a version such as ``4.8`` or ``3.38.1``.

    Raises
    ------
    InvalidInputError
        For anything else, and for versions older than :data:`OLDEST`.
    """
    match = re.match(r"(\d{1,3})\.(\d{1,3})(?:\.\d{1,3})?\Z", text)
    if match is None:
        raise InvalidInputError(f"syslog-ng version {text!r}: expected one such as 3.38 or 4.8")
    version = int(match[1]), int(match[2])
    if version < OLDEST:
        raise InvalidInputError(f"syslog-ng {text} is too old: {OLDEST[0]}.{OLDEST[1]} or newer is needed")
    return version
