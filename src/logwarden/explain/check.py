"""The faithfulness check: what a text states must occur in the evidence.

The text is read with what the evidence allows crossed out first: hints and commands of the knowledge table word for
word, quotations of log text, names, times. What is left must not contain an address, a path, a number, an identifier or
a name. Numbers are compared by what they measure:

- a count must be exact (``214`` is not ``about 200``); a measured value (a loss, an average) may be rounded to two or
  more significant digits;
- a duration may be written in any units, rounded to the smallest unit written, by at most 5 %;
- a probability, a score or a threshold may be written as a percentage, rounded by at most 5 %;
- a normal value must be told as one, in a comparison, and the number that follows ``normal``, ``usual``, ``expected``
  or ``typical`` must be one.

Log text is data: it may be quoted and never repeated as a claim of our own. An anomaly may not be played down, because
no evidence says that, and intent (an attack) may be named only as a possibility.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Callable, Collection, Iterator

from logwarden.api.record import AnomalyRecord
from logwarden.explain.allowed import Allowed, Measure
from logwarden.text import english

_GONE = "\x00"
_COPIED_WORDS = 5


def faithful(text: str, record: AnomalyRecord, known_names: Collection[str] = ()) -> list[str]:
    """Return what the text states without evidence, in words; an empty list means that it is faithful.

    Parameters
    ----------
    text
        The explanation.
    record
        The record it explains.
    known_names
        Further names (such as all hosts of the pipeline); the text may hold one only if it occurs in the evidence.
    """
    draft = _Draft(_canonical(text), Allowed.of(record), frozenset(known_names))
    if not draft.text:
        return ["the text is empty"]
    return list(dict.fromkeys(violation for rule in _RULES for violation in rule(draft)))


class _Draft:
    """A text of which parts are crossed out; positions stay those of the original."""

    def __init__(self, text: str, allowed: Allowed, known_names: frozenset[str]) -> None:
        self.text = text
        self.rest = text
        self.allowed = allowed
        self.known_names = known_names
        self.grounded = False

    def cross_out(self, start: int, end: int) -> None:
        self.rest = self.rest[:start] + _GONE * (end - start) + self.rest[end:]

    def cross_out_all(self, pattern: re.Pattern[str]) -> bool:
        spans = [match.span() for match in pattern.finditer(self.rest)]
        for start, end in spans:
            self.cross_out(start, end)
        return bool(spans)


_Rule = Callable[[_Draft], Iterator[str]]


def _canonical(text: str) -> str:
    normal = unicodedata.normalize("NFKC", text)
    visible = "".join(char for char in normal if unicodedata.category(char) != "Cf")
    return " ".join("".join(" " if unicodedata.category(c)[0] == "C" else c for c in visible).split())


def _commands_and_hints(draft: _Draft) -> Iterator[str]:
    """Cross out what the knowledge table says word for word."""
    for phrase in draft.allowed.phrases:
        while (start := draft.rest.find(phrase)) >= 0:
            draft.cross_out(start, start + len(phrase))
    return iter(())


_DOUBLE_QUOTED = re.compile(r'"([^"]*)"|“([^”]*)”|„([^“”]*)[“”]|«([^»]*)»|`([^`]*)`')
_SINGLE_QUOTED = re.compile(r"(?<![\w\x00])['‘]([^'‘’]+)['’](?![\w])")


def _double_quotes(draft: _Draft) -> Iterator[str]:
    yield from _quotes(draft, _DOUBLE_QUOTED)


def _single_quotes(draft: _Draft) -> Iterator[str]:
    yield from _quotes(draft, _SINGLE_QUOTED)


def _quotes(draft: _Draft, pattern: re.Pattern[str]) -> Iterator[str]:
    for match in list(pattern.finditer(draft.rest)):
        words = next(text for text in _groups_of(draft.text, match) if text is not None)
        if draft.allowed.has_quotation(words):
            draft.grounded = True
        else:
            yield f"quotation {match[0]!r} is not in the evidence".replace(_GONE, "")
        draft.cross_out(*match.span())


def _groups_of(text: str, match: re.Match[str]) -> Iterator[str | None]:
    """Yield the groups as they stand in the original text."""
    for group in range(1, (match.re.groups or 0) + 1):
        start, end = match.span(group)
        yield text[start:end] if start >= 0 else None


def _names(draft: _Draft) -> Iterator[str]:
    """Cross out the hosts, programs and addresses that the record is about."""
    for name in draft.allowed.names:
        bounded = re.compile(rf"(?<![\w.:@/-]){re.escape(name)}(?![\w@/]|[.:-]\w)")
        draft.grounded |= draft.cross_out_all(bounded)
    return iter(())


_DATE = re.compile(r"\b\d{4}-\d\d-\d\d(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(?:Z|\+00:00| ?UTC)?)?")
_CLOCK = re.compile(r"\b\d{1,2}:\d\d(?::\d\d)?(?:\.\d+)?(?:Z| ?UTC| ?[ap]m)?\b(?!:)", re.IGNORECASE)


def _times(draft: _Draft) -> Iterator[str]:
    for pattern in (_DATE, _CLOCK):
        for match in list(pattern.finditer(draft.rest)):
            if not draft.allowed.has_time(match[0]):
                yield f"time {match[0]!r} is not in the evidence"
            draft.cross_out(*match.span())


_MAC = re.compile(
    r"\b(?:[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}|(?:[0-9a-f]{4}\.){2}[0-9a-f]{4})\b", re.IGNORECASE
)
_TOKENS = (
    ("e-mail address", re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*")),
    ("address", re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s\x00]+", re.IGNORECASE)),
    ("MAC address", _MAC),
    ("address", re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?:/\d{1,2}|:\d+)?\b")),
    ("path", re.compile(r"(?<![\w\x00])~?/[\w.+-][^\s\x00,;)]*|\b[A-Za-z]:\\[^\s\x00]+")),
)  # fmt: skip
_COLONS = re.compile(r"[0-9a-f:.]*:[0-9a-f:.]*:[0-9a-f:.]*(?:%\w+)?(?:/\d{1,3})?", re.IGNORECASE)


def _addresses(draft: _Draft) -> Iterator[str]:
    for kind, pattern in _TOKENS:
        for match in list(pattern.finditer(draft.rest)):
            yield f"{kind} {match[0]!r} is not in the evidence"
            draft.cross_out(*match.span())
    for match in list(_COLONS.finditer(draft.rest)):
        if _is_ipv6(match[0]):
            yield f"address {match[0]!r} is not in the evidence"
            draft.cross_out(*match.span())


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Interface(text.rstrip("."))
    except ValueError:
        return False
    return True


_AMOUNT = r"[-−]?\d+(?:,\d{3})*(?:\.\d+)?"
_UNIT_SECONDS = {
    "ms": 0.001, "s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hr": 3600, "hour": 3600,
    "d": 86400, "day": 86400, "week": 604800,
}  # fmt: skip
_UNIT = r"(milliseconds?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d|weeks?)"
_PART = rf"({_AMOUNT})[ -]?{_UNIT}(?![\w])"
_DURATION = re.compile(rf"(?<![\w.]){_PART}(?:(?:,? and |, | )?{_PART})*", re.IGNORECASE)
_ONE_PART = re.compile(_PART, re.IGNORECASE)
_PERCENT = re.compile(rf"(?<![\w.])({_AMOUNT}) ?(?:%|percent\b|per cent\b)", re.IGNORECASE)
_NUMBER = re.compile(rf"(?<![\w.,])(?:{_AMOUNT})(?![\w]|[.,]\d)(?: ?(times|x|×))?", re.IGNORECASE)


def _known_quantities(draft: _Draft) -> Iterator[str]:
    """Cross out the durations and percentages of the evidence, before a host named ``6`` is found in ``6 h``."""
    for pattern, read in _WITH_UNIT:
        for match in list(pattern.finditer(draft.rest)):
            measure = read(match[0])
            if draft.allowed.has_number(measure):
                yield from _judge_number(draft, match[0], measure, match.start())
                draft.cross_out(*match.span())


def _numbers(draft: _Draft) -> Iterator[str]:
    for pattern, read in (*_WITH_UNIT, (_NUMBER, _bare)):
        for match in list(pattern.finditer(draft.rest)):
            yield from _judge_number(draft, match[0], read(match[0]), match.start())
            draft.cross_out(*match.span())


def _judge_number(draft: _Draft, words: str, measure: Measure, position: int) -> Iterator[str]:
    if not draft.allowed.has_number(measure):
        yield f"number {words!r} is not in the evidence"
        return
    draft.grounded = True
    if _follows_normal(draft, position) and not draft.allowed.is_normal(measure):
        yield f"number {words!r} is called normal and is not"
    if draft.allowed.is_only_normal(measure) and not _COMPARISON.search(_sentence_at(draft.rest, position)):
        yield f"number {words!r} is what is normal, and the text does not say so"


_COMPARISON = re.compile(
    r"\b(?:normal\w*|usual\w*|expected|typical\w*|baseline|against|than|compar\w+|instead|above|beyond|exceed\w*|over|limit|"
    r"most|every|threshold|otherwise|rather|average|known)\b",
    re.IGNORECASE,
)


def _sentence_at(text: str, position: int) -> str:
    start = max(text.rfind(mark, 0, position) for mark in (". ", "; ", "! ", "? "))
    ends = [end for mark in (". ", "; ", "! ", "? ") if (end := text.find(mark, position)) >= 0]
    return text[start + 1 : min(ends, default=len(text))]


_NORMAL = re.compile(
    r"\b(?:normal|normally|usual|usually|expected|typical|typically|baseline)\b[^.;:()\d]*$", re.IGNORECASE
)


def _follows_normal(draft: _Draft, position: int) -> bool:
    return _NORMAL.search(draft.text[:position]) is not None and _NORMAL.search(draft.rest[:position]) is not None


def _percentage(text: str) -> Measure:
    value, digits = _amount(re.match(_AMOUNT, text)[0])  # type: ignore[index]
    return Measure("ratio", value / 100, 0.5 * 10.0 ** -(digits + 2))


def _span(text: str) -> Measure:
    total = unit = 0.0
    for amount, name in _ONE_PART.findall(text):
        value, digits = _amount(amount)
        key = name.lower()
        seconds = _UNIT_SECONDS.get(key) or _UNIT_SECONDS.get(key.rstrip("s")) or 0.001
        total, unit = total + value * seconds, seconds * 10.0**-digits
    return Measure("seconds", total, unit / 2)


def _bare(text: str) -> Measure:
    value, digits = _amount(re.match(_AMOUNT, text)[0])  # type: ignore[index]
    return Measure("number", value, 0.5 * 10.0**-digits)


def _amount(text: str) -> tuple[float, int]:
    """Return the absolute value and the number of decimals: the sign is a matter of wording (ahead, behind)."""
    plain = text.replace(",", "").lstrip("-−")
    return float(plain), len(plain.partition(".")[2])


_WITH_UNIT = ((_PERCENT, _percentage), (_DURATION, _span))


def _number_words(draft: _Draft) -> Iterator[str]:
    for words, value, span in english.spoken_numbers(draft.rest):
        unit = re.match(rf"[ -]{_UNIT}\b", draft.rest[span[1] :], re.IGNORECASE)
        measure = _span(f"{value}{unit[0]}") if unit else Measure("number", value, 0.0)
        yield from _judge_number(draft, words, measure, span[0])
        draft.cross_out(*span)
    for match in english.VAGUE_AMOUNTS.finditer(draft.rest):
        yield f"amount {match[0]!r} is not in the evidence"


_IDENTIFIER = re.compile(r"[\w][\w./:@\\-]*[\w]|\w", re.UNICODE)


def _identifiers(draft: _Draft) -> Iterator[str]:
    """Words with digits, dots or underscores name something; words in capitals must at least occur in the evidence."""
    for match in list(_IDENTIFIER.finditer(draft.rest)):
        word = match[0]
        if word in english.TERMS or all(part in english.TERMS for part in re.split(r"[/-]", word)):
            continue
        if any(char.isnumeric() for char in word) or "_" in word or re.search(r"[^\W\d_][.@\\][^\W\d_]", word):
            yield f"name {word!r} is not in the evidence"
            draft.cross_out(*match.span())


_SENTENCE_START = re.compile(r"(?:^|[.!?:;\n][\"”'’`)]*\s+|^\s*[-*•]\s*|[(\[\"“']\s*)$")
_CAPITALISED = re.compile(r"\b[^\W\d_]*[A-Z][^\W\d_]*\b")


def _capitalised(draft: _Draft) -> Iterator[str]:
    for match in _CAPITALISED.finditer(draft.rest):
        word = match[0]
        if word in english.TERMS or word.lower() in draft.allowed.words:
            continue
        if not (_may_start(word) and _SENTENCE_START.search(draft.text[: match.start()])):
            yield f"name {word!r} is not in the evidence"


def _may_start(word: str) -> bool:
    lower = word.lower()
    ordinary = lower in english.SENTENCE_STARTERS or lower.endswith(english.ORDINARY_ENDINGS)
    return (ordinary and word[1:].islower()) or word == "A"


_ROLE = re.compile(
    r"\b(?:users?|usernames?|accounts?|logins? (?:by|of|for|as)|logged in as|host|hosts|hostname|named|called|"
    r"colleague|administrator|admin|employee)\s+([a-z][a-z'-]*)",
    re.IGNORECASE,
)
_ACTOR = re.compile(
    r"\b([a-z][a-z'-]*)\s+(?:has |have |had )?(?:logged in|logged on|logged out|signed in|authenticated|got in|"
    r"broke in|escalated|deleted|stole|tampered|typed)\b",
    re.IGNORECASE,
)


def _role_names(draft: _Draft) -> Iterator[str]:
    """A word in the place of a name must be an everyday word or a name of the evidence."""
    for pattern in (_ROLE, _ACTOR):
        for match in pattern.finditer(draft.rest):
            word = match[1].lower().removesuffix("'s")
            if not (_everyday(word) or word in draft.allowed.name_words or match[1] in english.TERMS):
                yield f"name {match[1]!r} is not in the evidence"


def _everyday(word: str) -> bool:
    return word in english.COMMON_WORDS or all(part in english.COMMON_WORDS for part in word.split("-"))


def _other_names(draft: _Draft) -> Iterator[str]:
    for name in draft.known_names:
        if name and re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w]|[.-]\w)", draft.rest, re.IGNORECASE):
            yield f"name {name!r} is not in the evidence"


def _copied_log_text(draft: _Draft) -> Iterator[str]:
    words = re.findall(r"[^\W_]+", draft.rest.lower())
    for start in range(len(words) - _COPIED_WORDS + 1):
        run = tuple(words[start : start + _COPIED_WORDS])
        if run in draft.allowed.runs(_COPIED_WORDS):
            yield f"log text {' '.join(run)!r} is repeated without quotation marks"
            return


def _judgements(draft: _Draft) -> Iterator[str]:
    for match in english.DISMISSALS.finditer(draft.rest):
        yield f"{match[0]!r} plays the anomaly down"
    for sentence in re.split(r"(?<=[.!?;])\s", draft.rest):
        verdict = english.VERDICTS.search(sentence)
        if verdict and not english.HEDGES.search(sentence):
            yield f"{verdict[0]!r} is stated as a fact"


def _grounding(draft: _Draft) -> Iterator[str]:
    if not draft.grounded:
        yield "nothing of the evidence is stated"


_RULES: tuple[_Rule, ...] = (
    _commands_and_hints,
    _double_quotes,
    _known_quantities,
    _names,
    _single_quotes,
    _times,
    _addresses,
    _numbers,
    _number_words,
    _identifiers,
    _capitalised,
    _role_names,
    _other_names,
    _copied_log_text,
    _judgements,
    _grounding,
)
"""In this order: what is allowed is crossed out before what is left is judged."""
