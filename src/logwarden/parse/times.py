"""Timestamps of log lines to Unix seconds, with a bounded cache per form."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from time import time
from typing import TypeVar

HALF_YEAR = 182.0 * 86400.0
CACHE_SIZE = 8192
SECONDS = {f":{second:02d}": float(second) for second in range(60)} | {":60": 59.0}
"""What follows the minute to seconds; a leap second counts as the second before it."""

_LATEST = 7258118400.0
"""Unix seconds of the year 2200: later times, such as the year 9999, are no times of a log."""

_LONGEST_FRACTION = len(".123456789")
_FARTHEST_LEAP_YEAR = 8  # 1896 and 1904, 2096 and 2104

MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}

# Only abbreviations that mean one thing in practice. IST, CST, BST, AST and the like stand for several offsets: a time
# with one of them is read in the configured time zone.
ZONE_HOURS = {
    "UTC": 0.0, "GMT": 0.0, "Z": 0.0, "WET": 0.0, "WEST": 1.0, "CET": 1.0, "MET": 1.0, "CEST": 2.0, "MEST": 2.0,
    "EET": 2.0, "EEST": 3.0, "MSK": 3.0, "EDT": -4.0, "EST": -5.0, "CDT": -5.0, "MDT": -6.0, "PST": -8.0, "PDT": -7.0,
    "JST": 9.0, "KST": 9.0, "AEST": 10.0, "AEDT": 11.0, "NZST": 12.0, "NZDT": 13.0, "HST": -10.0, "AKST": -9.0,
    "AKDT": -8.0,
}  # fmt: skip

_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)?$")
_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)([.,]\d{1,9})?([Zz]|[+-]\d\d:?\d\d)?").fullmatch
_NUMBERS = re.compile(r"\d+")

_Value = TypeVar("_Value")


def zone_of(text: str | None, default: tzinfo) -> tzinfo:
    """Time zone for ``Z``, ``+02:00``, ``-0700`` or an abbreviation; ``default`` for what is absent or ambiguous."""
    if not text:
        return default
    hours = ZONE_HOURS.get(text.upper())
    if hours is not None:
        return UTC if hours == 0.0 else timezone(timedelta(hours=hours))
    match = _OFFSET.match(text)
    if match is None:
        return default
    sign, hour, minute = match.groups()
    offset = timedelta(hours=int(hour), minutes=int(minute or 0))
    if offset >= timedelta(hours=24):
        return default
    return timezone(-offset if sign == "-" else offset)


def fraction(text: str | None) -> float:
    """Seconds of a fraction such as ``.483`` or ``,483``; 0 when absent."""
    return float("0." + text[1:]) if text and len(text) > 1 else 0.0


def _reference(received: float | None) -> float:
    """The time a year is chosen by: the receive time where it is a sensible one, else now."""
    if received is not None and 0.0 <= received < 32503680000.0:
        return received
    return time()


class Clock:
    """Reads timestamps. One per parser; not shared between threads.

    Parameters
    ----------
    timezone
        Zone of timestamps that state none.
    """

    def __init__(self, timezone: tzinfo) -> None:
        self._timezone = timezone
        self.minutes: dict[str, float] = {}
        """Unix seconds of minutes without a year, such as ``Mar  1 00:00`` (a zone stands behind it)."""
        self._iso_minutes: dict[str, float] = {}
        self._with_year: dict[str, float | None] = {}

    def without_year(self, text: str, received: float | None, zone: str | None = None) -> float | None:
        """Unix seconds of ``Mar  1 00:00:01`` (or ``03-17 16:13:38``), in the year nearest to ``received``, else now.

        Returns None when the text is not a possible time.
        """
        key = text[:-3] if zone is None else text[:-3] + zone
        minute, second = self.minutes.get(key), SECONDS.get(text[-3:])
        if minute is not None and second is not None:
            known = minute + second
            # This also keeps a long-lived process right when the year has moved on.
            if abs(known - (time() if received is None else received)) < HALF_YEAR:
                return known
        found = self._nearest_year(text, _reference(received), zone_of(zone, self._timezone))
        if found is not None and second is not None:
            _remember(self.minutes, key, found - second)
        return found

    def with_year(self, text: str, zone: str | None = None) -> float | None:
        """Unix seconds of a text whose numbers are year, month, day, hour, minute, second in ISO order."""
        key = text if zone is None else text + zone
        try:
            return self._with_year[key]
        except KeyError:
            pass
        found = self._from_numbers(text, zone_of(zone, self._timezone))
        _remember(self._with_year, key, found)
        return found

    def iso(self, stamp: str) -> float | None:
        """Unix seconds of an RFC 3339 timestamp such as ``2026-11-22T20:00:01.123456+00:00``; None if it is not one.

        The minute is cached; seconds and their fraction are read by hand, for speed.
        """
        zone_at = -1 if stamp[-1:] == "Z" else -6
        minute = self._iso_minutes.get(stamp[:16] + stamp[zone_at:])
        second = SECONDS.get(stamp[16:19])
        if minute is not None and second is not None:
            part = stamp[19:zone_at]
            if not part:
                return minute + second
            if part[0] == "." and part[1:].isdecimal() and len(part) <= _LONGEST_FRACTION:
                return minute + second + float(part)
        match = _RFC3339(stamp)
        if match is None:
            return None
        when = self.with_year(match[1], match[3])
        if when is None:
            return None
        # Digits of other scripts are read, but not remembered.
        if second is not None and (match[3] == "Z" or len(match[3] or "") == len("+00:00")):
            _remember(self._iso_minutes, stamp[:16] + match[3], when - second)
        return when + fraction(match[2])

    def named_month(self, year: str, month: str, day: str, clock: str, zone: str | None = None) -> float | None:
        """Unix seconds from ``2018``, ``Apr``, ``20``, ``13:15:07``."""
        number = MONTHS.get(month[:3].lower())
        if number is None:
            return None
        return self.with_year(f"{year}-{number:02d}-{day} {clock}", zone)

    def _from_numbers(self, text: str, zone: tzinfo) -> float | None:
        numbers = [int(number[:9]) for number in _NUMBERS.findall(text)]
        if len(numbers) < 6:
            return None
        year, month, day, hour, minute, second = numbers[:6]
        return _epoch(year, month, day, hour, minute, second, zone)

    def _nearest_year(self, text: str, reference: float, zone: tzinfo) -> float | None:
        numbers = [int(number[:9]) for number in _NUMBERS.findall(text)]
        month = MONTHS.get(text[:3].lower())
        if month is None and numbers:
            month, *numbers = numbers
        if month is None or len(numbers) != 4:
            return None
        day, hour, minute, second = numbers
        this_year = datetime.fromtimestamp(reference, UTC).year
        best: float | None = None
        for reach in (1, _FARTHEST_LEAP_YEAR):
            for year in range(this_year - reach, this_year + reach + 1):
                found = _epoch(year, month, day, hour, minute, second, zone)
                if found is not None and (best is None or abs(found - reference) < abs(best - reference)):
                    best = found
            if best is not None:
                break
        return best


def _remember(cache: dict[str, _Value], key: str, value: _Value) -> None:
    if len(cache) >= CACHE_SIZE:
        cache.clear()
    cache[key] = value


def _epoch(year: int, month: int, day: int, hour: int, minute: int, second: int, zone: tzinfo) -> float | None:
    """Unix seconds, or None for a date that does not exist or that no log can have.

    A leap second counts as the second before it.
    """
    try:
        when = datetime(year, month, day, hour, minute, 59 if second == 60 else second, tzinfo=zone).timestamp()
    except (ValueError, OverflowError):
        return None
    return when if 0 <= when < _LATEST else None
