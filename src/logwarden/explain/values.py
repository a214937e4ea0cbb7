"""How values of the evidence are written for a person: numbers, durations, percentages, quotations and names.

The faithfulness check reads text with the same rules, so every rule is stated once, here:

- a whole number is written exactly; other numbers with three significant digits, or without decimals from 100 on;
- a duration is written in its two largest useful units, rounded to the smaller one (``3 min 20 s``, ``2 h 5 min``);
- log text appears only between double quotes, on one line and cut to :data:`QUOTE_LENGTH` characters;
- a name (host, program) keeps only the characters that names are made of.
"""

from __future__ import annotations

import math
import re
import unicodedata
from decimal import Decimal

QUOTE_LENGTH = 120
"""Longest quotation of log text, in characters."""

NAME_LENGTH = 64
"""Longest host or program name shown, in characters."""

Value = str | int | float

_QUOTES = str.maketrans(dict.fromkeys('"“”„«»`', "'"))
_NOT_IN_NAMES = re.compile(r"[^\w.:@/%+ -]")
_LARGEST = 1e15
_SMALLEST = 1e-6


def number(value: Value | None) -> str | None:
    """Write a number, or return None when the value is no finite number of a size that a person can read."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not math.isfinite(value) or abs(value) >= _LARGEST:
        return None
    if value == int(value):
        return str(int(value))
    if abs(value) < _SMALLEST:
        return None
    return str(round(value)) if abs(value) >= 100 else format(Decimal(f"{value:.3g}"), "f")


def duration(seconds: Value | None) -> str | None:
    """Write the absolute value of a number of seconds: ``30 s``, ``3 min 20 s``, ``2 h``, ``1 day 4 h``."""
    if number(seconds) is None:
        return None
    length = abs(float(seconds))  # type: ignore[arg-type]  # number() has refused everything else
    whole = round(length)
    if length < 60 and whole < 60:
        return f"{number(length)} s"
    if whole < 3600:
        return _two_units(whole, 60, "min", "s")
    minutes = round(length / 60)
    if minutes < 24 * 60:
        return _two_units(minutes, 60, "h", "min")
    hours = round(length / 3600)
    return _two_units(hours, 24, "day" if hours < 48 else "days", "h")


def _two_units(amount: int, ratio: int, large: str, small: str) -> str:
    whole, rest = divmod(amount, ratio)
    return f"{whole} {large} {rest} {small}" if rest else f"{whole} {large}"


def percent(ratio: Value | None) -> str | None:
    """Write a share between 0 and 1 as a percentage (``97 %``, ``0.4 %``), or None when it is no such share."""
    if number(ratio) is None or not 0 <= float(ratio) <= 1:  # type: ignore[arg-type]
        return None
    share = float(ratio) * 100  # type: ignore[arg-type]
    digits = str(round(share)) if 10 <= share <= 90 else number(share)
    return f"{digits} %" if digits else None


def times(count: Value | None) -> str | None:
    """Write how often: ``once``, ``214 times``."""
    written = number(count)
    if written is None:
        return None
    return "once" if count == 1 else f"{written} times"


def counted(count: Value | None, noun: str) -> str | None:
    """Write a number of things: ``1 line``, ``214 lines``."""
    written = number(count)
    if written is None:
        return None
    return f"{written} {noun}" if count == 1 else f"{written} {noun}s"


def plain_text(value: str) -> str:
    """Bring text to one line without control or invisible characters, with apostrophes for double quotes."""
    if value.isascii() and value.isprintable():  # nearly all log text: none of its characters needs a look
        return " ".join(value.translate(_QUOTES).split())
    normal = unicodedata.normalize("NFKC", value)
    visible = "".join(" " if _is_gap(char) else char for char in normal if unicodedata.category(char) != "Cf")
    return " ".join(visible.translate(_QUOTES).split())


def _is_gap(char: str) -> bool:
    return unicodedata.category(char)[0] in "CZ"


def shorten(text: str, length: int = QUOTE_LENGTH) -> str:
    """Cut text that is too long at a space, where it has one, and mark the cut with ``...``."""
    if len(text) <= length:
        return text
    head = text[: length - 4]
    return f"{head.rsplit(' ', 1)[0] if ' ' in head else head} ..."


def quote(value: Value | None, app: str = "") -> str | None:
    """Quote log text, without the program's name in front of it when that is said already."""
    if not isinstance(value, str):
        return None
    text = plain_text(value)
    if app and text.startswith(f"{app}: "):
        text = text[len(app) + 2 :]
    return f'"{shorten(text)}"' if text else None


def name(value: Value | None) -> str | None:
    """Write a host or program name, or return None when nothing readable is left of it."""
    if not isinstance(value, str):
        return None
    text = " ".join(_NOT_IN_NAMES.sub(" ", plain_text(value)).split())[:NAME_LENGTH].strip()
    return text if re.search(r"[^\W_]", text) else None
