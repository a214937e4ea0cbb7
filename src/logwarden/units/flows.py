"""Flow records: each one is a unit, and its fields are what the channels compare."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, log10
from statistics import quantiles
from typing import Any

from logwarden.mask import mask
from logwarden.parse import pairs_of
from logwarden.templates import Templates
from logwarden.units.unit import Unit, UnitConfig
from logwarden.units.windows import Silence, Windows

# Masked lines hold no braces.
_START = "{flow} "
_RANGE = ".."
_LONGEST_VALUE = 64
# A field with at most so many texts tells of a new one; one with more is a name or an id.
_MOST_TEXTS = 64
# Share of the records that must have a field, and a value for it to stay as it is.
_LEAST_FIELD = 0.01
_LEAST_VALUE = 0.02
_CUTS = (25, 50, 75, 95)
# Share of the steps that go up in a field that only counts, or tells the time.
_RISING = 0.95
# Beyond this a number is no count, and arithmetic with it might overflow.
_MOST = 1e18
_LEAST = 1e-9
_TIMES = frozenset({"DATE", "TIME", "DATE TIME"})


@dataclass(frozen=True, slots=True)
class Field:
    """What training saw of one field.

    Attributes
    ----------
    values
        Values that stay as they are.
    edges
        Bounds of the ranges that other numbers are told by, increasing; empty for texts.
    tells_new
        Whether any other value stays as it is too, because training saw them all.
    """

    values: frozenset[str]
    edges: tuple[float, ...]
    tells_new: bool

    def word(self, value: str) -> str | None:
        """Return what is told of a value, None where it says nothing."""
        if value in self.values:
            return value
        number = _number(value) if self.edges else None
        if number is not None:
            place = bisect_right(self.edges, number)
            bounds = ["", *map(_written, self.edges), ""]
            return f"{bounds[place]}{_RANGE}{bounds[place + 1]}"
        return value if self.tells_new else None


class FlowWords:
    """Writes flow records as words, ``{flow} bytes=1200..4100 dport=443 proto=tcp``.

    Values that come often stay as they are; other numbers become the range between two quantiles of what training
    saw, so that one beyond all of them is a word never seen. Left out are texts that are nearly always others (names,
    addresses, ids) and what only counts or tells the time.
    """

    def __init__(self, fields: Mapping[str, Field]) -> None:
        self._fields = dict(sorted(fields.items()))

    def __call__(self, message: str) -> str | None:
        """Return the words of a record, None of a message without any field that training saw."""
        pairs = pairs_of(message)
        words = [
            f"{name}={word}"
            for name, field in self._fields.items()
            if name in pairs and (word := field.word(_plain(pairs[name]))) is not None
        ]
        return _START + " ".join(words) if words else None

    @classmethod
    def fit(cls, messages: Iterable[str]) -> FlowWords:
        """Look at the fields of training records, given in time order."""
        columns: defaultdict[str, list[str]] = defaultdict(list)
        records = 0
        for message in messages:
            pairs = pairs_of(message)
            records += bool(pairs)
            for name, value in pairs.items():
                columns[name].append(_plain(value))
        fields = {name: _fit(values, records) for name, values in columns.items()}
        return cls({name: field for name, field in fields.items() if field is not None})

    def __len__(self) -> int:
        return len(self._fields)

    def to_json(self) -> dict[str, list[Any]]:
        """Return each field's values, edges and whether it tells of new ones."""
        return {name: [sorted(f.values), list(f.edges), f.tells_new] for name, f in self._fields.items()}

    @classmethod
    def from_json(cls, fields: Mapping[str, Sequence[Any]]) -> FlowWords:
        """Rebuild from :meth:`to_json`."""
        return cls({name: Field(frozenset(values), tuple(edges), new) for name, (values, edges, new) in fields.items()})


class Flows(Windows):
    """Every line is a unit; one that is a flow record counts as its words.

    Parameters are those of :class:`logwarden.units.windows.Windows`, and the templates that give words their ids.
    """

    def __init__(self, stream: str, config: UnitConfig, silence: Silence, templates: Templates) -> None:
        super().__init__(stream, config, silence)
        self._templates = templates

    def add(
        self, host: str, time: float, position: int, text: str, template: int, stated: float | None
    ) -> list[Unit] | None:
        """Add a line; return the units that this closes, in order: at least its own."""
        closed = super().add(host, time, position, text, template, stated)
        record = self._templates.text_of(template) or ""
        if closed and record.startswith(_START):
            words = record.removeprefix(_START).split()
            unit = closed[-1]
            unit.words = [self._templates.id_of(word) for word in words]
            # Ranges are left out: of enough numbers, any company is new.
            unit.company = sorted({id_ for id_, word in zip(unit.words, words, strict=True) if _RANGE not in word})
        return closed


def _fit(values: Sequence[str], records: int) -> Field | None:
    """Return what a field says, None where it says nothing."""
    if len(values) < _LEAST_FIELD * records:
        return None
    counts = Counter(values)
    often = frozenset(value for value, count in counts.items() if count >= max(2, _LEAST_VALUE * records))
    numbers = [number for value in values if (number := _number(value)) is not None]
    if len(numbers) < len(values) / 2:
        if all(mask(value.replace("_", " ")) in _TIMES for value in counts):
            return None
        few = len(counts) <= _MOST_TEXTS
        named = frozenset(counts) if few else often
        return Field(named, (), few) if named else None
    if _only_rises(numbers):
        return None
    others = [number for value in values if value not in often and (number := _number(value)) is not None]
    return Field(often, _edges(others), not others)


def _only_rises(numbers: Sequence[float]) -> bool:
    steps = [after - before for before, after in pairwise(numbers) if after != before]
    return len(steps) > len(numbers) / 10 and sum(step > 0 for step in steps) >= _RISING * len(steps)


def _edges(numbers: Sequence[float]) -> tuple[float, ...]:
    """Return the bounds of a field's ranges: the least and the greatest number, and quantiles between, rounded."""
    if not numbers:
        return ()
    inner = quantiles(numbers, n=100, method="inclusive") if len(numbers) > 1 else []
    between = [_rounded(inner[cut - 1], round) for cut in _CUTS if inner]
    # No number of training lies outside.
    return tuple(sorted({_rounded(min(numbers), floor), *between, _rounded(max(numbers), _above)}))


def _rounded(number: float, to_integer: Callable[[float], int]) -> float:
    """Round to two significant digits."""
    if abs(number) < _LEAST:
        return float(to_integer(0.0))
    unit = 10.0 ** (floor(log10(abs(number))) - 1)
    return float(f"{to_integer(number / unit) * unit:.6g}")


def _above(number: float) -> int:
    return ceil(number) + 1


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if abs(number) < _MOST else None


def _written(number: float) -> str:
    return str(int(number)) if number == int(number) else f"{number:g}"


def _plain(value: str) -> str:
    """Return a value as one word that looks like no range."""
    return "_".join(value.split())[:_LONGEST_VALUE].replace(_RANGE, ".") or "-"
