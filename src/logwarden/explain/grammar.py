"""The sentences that the language model learns to write, and the rules that its own sentences must keep."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache

from logwarden.api.record import EvidenceKind
from logwarden.explain import knowledge, phrases
from logwarden.explain.delexical import SLOT, Delexicalised, Part

SAME_TEXT = "this message"
MAX_WORDS = 60
"""Longest sentence the model may write, in words, slots included."""

_JOINS = ("Also, ", "In addition, ", "Besides, ")
_NEXT = ("Check next: ", "Look next at this: ", "To find out next: ")
_WHOLE_HOST = frozenset({EvidenceKind.SILENCE, EvidenceKind.CLOCK_OFFSET, EvidenceKind.NEVER_SEEN_COMBINATION})
_REPEATED_RUN = 12
_TRIPLE_LIMIT = 4


def sentence(coded: Delexicalised, chance: random.Random) -> str:
    """Write one of the many texts, with slots, that tell this evidence in at most :data:`MAX_WORDS` words.

    What does not fit is left out, the least odd first.
    """
    findings = [_finding(part, forms, chance) for part, forms in _usable(coded)]
    opening = (
        f"On {coded.host}, " if coded.parts[0].kind not in _WHOLE_HOST and chance.random() < 0.3 else f"{coded.host}: "
    )
    told = [opening + findings[0], *(chance.choice(_JOINS) + finding for finding in findings[1:])]
    commands = f" ({coded.commands})" if coded.commands else ""
    end = f"{chance.choice(_NEXT)}{chance.choice(coded.lead.topic.next)}{commands}."
    while len(told) > 1 and len(_words(f"{' '.join(told)} {end}")) > MAX_WORDS:
        told.pop()
    return ". ".join([*told, end])


def _usable(coded: Delexicalised) -> Iterator[tuple[Part, list[str]]]:
    """Yield each part with the forms that tell as much of it as can be told; a text is quoted once."""
    quoted: set[str] = set()
    for part in coded.parts:
        roles = dict(part.slots)
        text = roles.get("text")
        if text in quoted:
            roles["text"] = SAME_TEXT
        if text:
            quoted.add(text)
        forms = phrases.usable(part.kind, roles)
        most = max(len(phrases.fields(form)) for form in forms)
        yield Part(part.kind, roles, part.elsewhere), [f for f in forms if len(phrases.fields(f)) == most]


def _finding(part: Part, forms: list[str], chance: random.Random) -> str:
    return chance.choice(forms).format_map(part.slots) + (f" (on {part.elsewhere})" if part.elsewhere else "")


def flaws(text: str, coded: Delexicalised) -> list[str]:
    """Return what is wrong with a sentence the model wrote, in words: broken, repetitive, or slots in wrong places."""
    return [flaw for flaw in _flaws(text, coded) if flaw]


def _flaws(text: str, coded: Delexicalised) -> Iterator[str | None]:
    words = _words(text)
    if not words:
        yield "nothing was written"
        return
    yield "the text has no end" if not text.rstrip().endswith(".") else None
    yield f"the text is longer than {MAX_WORDS} words" if len(words) > MAX_WORDS else None
    yield "the text repeats itself" if _repeats(words) else None
    slots = set(SLOT.findall(text))
    for slot in sorted(slots - coded.values.keys()):
        yield f"slot {slot} has no value"
    for slot in sorted({coded.host, *_first_slots(coded)} - slots - {None}):  # type: ignore[type-var]
        yield f"slot {slot} is not told"
    for word in sorted(set(words) - slots - vocabulary()):
        yield f"word {word!r} was never learned"
    for before, slot in sorted(_contexts(words) - _allowed_contexts(coded)):
        yield f"slot {slot} stands after {before!r}"


def _first_slots(coded: Delexicalised) -> Iterable[str]:
    return (slot for role, slot in coded.parts[0].slots.items() if role in {"text", "silent", "offset", "lines"})


def _words(text: str) -> list[str]:
    return re.findall(r"[\w-]+", text)


def _repeats(words: list[str]) -> bool:
    """Tell whether a long run of words comes twice, or a short one again and again."""
    long, short = Counter(_runs(words, _REPEATED_RUN)), Counter(_runs(words, 3))
    return max(long.values(), default=0) > 1 or max(short.values(), default=0) > _TRIPLE_LIMIT


def _runs(words: list[str], length: int) -> list[tuple[str, ...]]:
    return [tuple(words[start : start + length]) for start in range(len(words) - length + 1)]


def _contexts(words: list[str]) -> set[tuple[str, str]]:
    """Return each slot with the word before it; a slot before it is known by its kind only."""
    pairs = zip(["", *words], words, strict=False)
    return {
        (before.rstrip("0123456789") if SLOT.fullmatch(before) else before, w)
        for before, w in pairs
        if SLOT.fullmatch(w)
    }


def _allowed_contexts(coded: Delexicalised) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for part, _ in _usable(coded):
        for form in phrases.usable(part.kind, part.slots):
            words = _words(form.format_map(part.slots))
            found |= _contexts(words)
            starts = {words[0]} if SLOT.fullmatch(words[0]) else set()
            for join in (*_JOINS, "HOST1: "):
                before = _words(join)[-1]
                found |= {(before.rstrip("0123456789"), slot) for slot in starts}
        found |= {("on", part.elsewhere)} if part.elsewhere else set()
    for hint in coded.lead.topic.next:
        found |= {(_words(hint)[-1], coded.commands)} if coded.commands else set()
    return found | {("", coded.host or ""), ("On", coded.host or "")}


@lru_cache(maxsize=1)
def vocabulary() -> frozenset[str]:
    """Return every word of the grammar."""
    forms = [re.sub(r"\{\w+\}", " ", form) for kind in phrases.FORMS.values() for form in kind]
    return frozenset(_words(" ".join([*forms, *knowledge.all_hints(), *_JOINS, *_NEXT, "On on", SAME_TEXT])))
