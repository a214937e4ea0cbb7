"""What the evidence of a record allows a text to state."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal, NamedTuple

from logwarden.api.record import AnomalyRecord
from logwarden.explain import knowledge, phrases, values

Quantity = Literal["number", "seconds", "ratio"]

MAX_ROUNDING = 0.05
"""Largest relative error of a rounded value."""

_LOG_TEXT = frozenset({"template", "templates", "nearest", "tokens"})
_NAMES = frozenset({"host", "app", "other_hosts"})


class Measure(NamedTuple):
    """A number as a text states it: what it measures, its value, and half of its last digit."""

    quantity: Quantity
    value: float
    half_digit: float


class Known(NamedTuple):
    """A number of the evidence.

    ``normal`` tells whether it describes what is normal, ``span`` whether it is the time in which both the normal and
    the odd was counted, ``exact`` whether it may not be rounded.
    """

    quantity: Quantity
    value: float
    normal: bool = False
    exact: bool = False
    span: bool = False

    def agrees_with(self, stated: Measure) -> bool:
        """Tell whether the stated number is this one, rounded at most as far as is allowed."""
        if stated.quantity != self.quantity and not (self.quantity == "ratio" and stated.quantity == "number"):
            return False
        error = abs(abs(self.value) - stated.value)
        if error <= 1e-9 * max(1.0, stated.value):
            return True
        if self.exact or stated.half_digit == 0:
            return False
        return error <= stated.half_digit * (1 + 1e-9) and error <= MAX_ROUNDING * abs(self.value)


@dataclass(frozen=True)
class Allowed:
    """Everything that a text about one record may state.

    Attributes
    ----------
    names
        Host, address and program names, longest first.
    name_words
        The names in lower case.
    words
        Every word of the evidence, log text included, in lower case.
    phrases
        Hints and commands of the knowledge table, longest first.
    """

    names: tuple[str, ...]
    name_words: frozenset[str]
    words: frozenset[str]
    phrases: tuple[str, ...]
    _log_texts: tuple[str, ...]
    _numbers: tuple[Known, ...]
    _times: tuple[datetime, ...]

    @classmethod
    def of(cls, record: AnomalyRecord) -> Allowed:
        """Collect what a record allows."""
        names = _names(record)
        texts = _log_texts(record)
        return cls(
            names=tuple(sorted(names, key=lambda name: (-len(name), name))),
            name_words=frozenset(name.lower() for name in names),
            words=frozenset(word for text in (*texts, *names) for word in _words(text)),
            phrases=_phrases(record),
            _log_texts=texts,
            _numbers=tuple(_numbers(record)),
            _times=tuple(time.astimezone(UTC) for time in (record.start, record.end, record.detected)),
        )

    def has_quotation(self, words: str) -> bool:
        """Tell whether quoted words are a name, whole words of the log text, or the cut form of one text."""
        exact = values.plain_text(words)
        return self._has_words(exact) or self._has_words(exact.strip(" ,.;"))

    def _has_words(self, wanted: str) -> bool:
        if not wanted:
            return False
        cut = {values.shorten(text) for text in self._log_texts}
        return wanted in self.names or wanted in cut or any(_holds(text, wanted) for text in self._log_texts)

    def has_number(self, stated: Measure) -> bool:
        """Tell whether a number of the evidence agrees with the stated one."""
        return any(known.agrees_with(stated) for known in self._numbers)

    def is_normal(self, stated: Measure) -> bool:
        """Tell whether the stated number describes what is normal, as far as the evidence has such numbers."""
        normal = [known for known in self._numbers if known.normal]
        return not normal or any(known.agrees_with(stated) for known in normal)

    def is_only_normal(self, stated: Measure) -> bool:
        """Tell whether a number describes only what is normal, so that nothing odd has this number."""
        agreeing = [known for known in self._numbers if known.agrees_with(stated)]
        return bool(agreeing) and all(known.normal and not known.span for known in agreeing)

    def has_time(self, stated: str) -> bool:
        """Tell whether a date or a time of day (UTC) is one of the record's, to the precision it is stated in."""
        digits = re.sub(r"(?:Z|\+00:00| ?UTC)$", "", stated, flags=re.IGNORECASE).replace("T", " ")
        return any(_states(time, digits) for time in self._times)

    def runs(self, length: int) -> frozenset[tuple[str, ...]]:
        """Return every run of so many words of the log text, in lower case."""
        return _runs(self._log_texts, length)


def _names(record: AnomalyRecord) -> set[str]:
    source = record.source
    found: list[values.Value | None] = [source.host, source.address, source.app]
    for evidence in record.evidence:
        found += [evidence.facts.get(key) for key in _NAMES]
        found.append(phrases.app_of(evidence.facts.get("template")))
        others = evidence.facts.get("other_hosts")
        found += others.split(",") if isinstance(others, str) else []
    found.append(phrases.app_of(record.template.text))
    return {name for name in map(values.name, found) if name}


def _log_texts(record: AnomalyRecord) -> tuple[str, ...]:
    """Return the log text of the evidence, each also without its program's name, and every unknown text fact."""
    found: dict[str, None] = {}
    texts = [record.template.text]
    for evidence in record.evidence:
        texts += [fact for key, fact in evidence.facts.items() if isinstance(fact, str) and key not in _NAMES]
    for text in texts:
        plain = values.plain_text(text)
        found[plain] = None
        for app in _names(record):
            if plain.startswith(f"{app}: "):
                found[plain[len(app) + 2 :]] = None
    return tuple(found)


def _phrases(record: AnomalyRecord) -> tuple[str, ...]:
    lead = knowledge.lead_of(record)
    commands = {
        f"`{command}`" for app in {lead.app, record.source.app} for command in knowledge.all_commands(app, lead.host)
    }
    return tuple(sorted({*commands, *knowledge.all_hints()}, key=lambda phrase: (-len(phrase), phrase)))


def _numbers(record: AnomalyRecord) -> Iterable[Known]:
    yield Known("number", record.line_count, exact=True)
    yield Known("ratio", record.threshold, normal=True)
    for ratio in (record.score, *record.channels.values()):
        yield Known("ratio", ratio)
    for evidence in record.evidence:
        yield Known("ratio", evidence.score)
        for key, fact in evidence.facts.items():
            if isinstance(fact, int | float) and not isinstance(fact, bool) and math.isfinite(fact):
                yield _known(key, fact)


def _known(key: str, fact: int | float) -> Known:
    normal = key.startswith(("normal_", "expected_")) or key == "other_hosts"
    if key.endswith("seconds"):
        return Known("seconds", fact, normal=normal or key == "seconds", span=key == "seconds")
    if key == "probability":
        return Known("ratio", fact, normal=normal)
    return Known("number", fact, normal=normal, exact=fact == int(fact))


def _states(time: datetime, digits: str) -> bool:
    forms = ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%H:%M", "%H:%M:%S")
    return digits.partition(".")[0] in {time.strftime(form) for form in forms}


def _holds(text: str, wanted: str) -> bool:
    """Tell whether whole words of the text are the wanted ones (``10.0.0.1`` is not in ``10.0.0.12``)."""
    left = r"(?<![\w@/\\])(?<![\w][.:-])" if re.match(r"\w", wanted) else ""
    right = r"(?![\w@/\\]|[.:-]\w)" if re.search(r"\w$", wanted) else ""
    return re.search(left + re.escape(wanted) + right, text) is not None


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


@lru_cache(maxsize=64)
def _runs(texts: tuple[str, ...], length: int) -> frozenset[tuple[str, ...]]:
    return frozenset(
        tuple(words[start : start + length]) for words in map(_words, texts) for start in range(len(words) - length + 1)
    )
