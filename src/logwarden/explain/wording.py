"""One finding put into words by the language model, with slots for the values: it writes, but cannot copy numbers.

Evidence becomes a prompt with slots (``burst app APP1 text TEXT1 times C1``) and the values of the slots. The model
answers with a clause that has the same slots, and the values are put back in afterwards.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from logwarden.api.record import EvidenceKind
from logwarden.explain import phrases

MAX_WORDS = 40
"""Longest clause the model may write, in words, slots included."""

_PREFIXES = ("APP", "TEXT", "C", "T", "N", "P")
_SLOT = re.compile(rf"\b(?:{'|'.join(_PREFIXES)})\d+\b")

SLOT_WORDS = tuple(f"{prefix}{number}" for prefix in _PREFIXES for number in range(1, 4))
"""Every slot, for a tokenizer that keeps each in one piece."""

_SLOT_OF_ROLE = {
    "app": "APP", "text": "TEXT", "nearest": "TEXT", "tokens": "TEXT",
    "times": "C", "lines": "C", "combinations": "C", "others": "C", "more": "C",
    "span": "T", "silent": "T", "gap": "T", "missing": "T", "every": "T", "offset": "T",
    "normal": "N", "loss": "N", "probability": "P",
}  # fmt: skip
# Without these the clause says nothing.
_NEEDED = frozenset({"text", "silent", "offset", "lines"})
_MOST_PER_WORD = 4


@dataclass(frozen=True)
class Slotted:
    """A finding whose values are taken out: the slot of each role, and the value of each slot."""

    kind: EvidenceKind
    slots: Mapping[str, str]
    values: Mapping[str, str]

    @classmethod
    def of(cls, kind: EvidenceKind, roles: Mapping[str, str]) -> Slotted:
        """Take the values out of the roles of a finding."""
        numbers: Counter[str] = Counter()
        slots = {}
        for role in sorted(roles):
            prefix = _SLOT_OF_ROLE[role]
            numbers[prefix] += 1
            slots[role] = f"{prefix}{numbers[prefix]}"
        return cls(kind, slots, {slot: roles[role] for role, slot in slots.items()})

    @property
    def prompt(self) -> str:
        """The finding in compact words, without the prefix that names the task."""
        return " ".join([self.kind.value.replace("_", " "), *(f"{role} {slot}" for role, slot in self.slots.items())])

    def clauses(self) -> list[str]:
        """Return the clauses, with slots, that tell as much as can be told."""
        forms = phrases.usable(self.kind, self.slots)
        most = max(len(phrases.fields(form)) for form in forms)
        return [form.format_map(self.slots) for form in forms if len(phrases.fields(form)) == most]

    def fill(self, clause: str) -> str:
        """Put the values in."""
        return _SLOT.sub(lambda match: self.values[match[0]], clause)

    def flaws(self, clause: str) -> list[str]:
        """Return what is wrong with a clause that the model wrote, in words; only one without flaws can be filled."""
        return list(self._flaws(clause, _words(clause)))

    def _flaws(self, clause: str, words: list[str]) -> Iterator[str]:
        if not words:
            yield "nothing was written"
        if len(words) > MAX_WORDS:
            yield f"the clause is longer than {MAX_WORDS} words"
        if max(Counter(words).values(), default=0) > _MOST_PER_WORD:
            yield "the clause repeats itself"
        told = set(_SLOT.findall(clause))
        for slot in sorted(told - self.values.keys()):
            yield f"slot {slot} has no value"
        for slot in sorted({slot for role, slot in self.slots.items() if role in _NEEDED} - told):
            yield f"slot {slot} is not told"
        for word in sorted(set(words) - told - _vocabulary()):
            yield f"word {word!r} was never learned"
        for before, slot in sorted(_contexts(words) - self._known_contexts()):
            yield f"slot {slot} stands after {before!r}"

    def _known_contexts(self) -> set[tuple[str, str]]:
        forms = phrases.usable(self.kind, self.slots)
        return {context for form in forms for context in _contexts(_words(form.format_map(self.slots)))}


def training_pairs(seed: int, n: int) -> list[tuple[str, str]]:
    """Return ``n`` pairs of prompt and clause, both with slots, that teach a model to put findings into words.

    The same seed gives the same pairs; a longer list begins with the shorter one.
    """
    chance = Random(seed)
    return [_training_pair(chance) for _ in range(n)]


def _training_pair(chance: Random) -> tuple[str, str]:
    kind = chance.choice(list(EvidenceKind))
    roles = set(phrases.fields(chance.choice(phrases.FORMS[kind])))
    if "text" in roles and chance.random() < 0.7:
        roles.add("app")  # known of nearly every text, told by few forms
    finding = Slotted.of(kind, dict.fromkeys(roles, ""))
    return finding.prompt, chance.choice(finding.clauses())


def _words(text: str) -> list[str]:
    return re.findall(r"[\w-]+", text)


def _contexts(words: list[str]) -> set[tuple[str, str]]:
    """Return each slot with the word before it."""
    return {(before, word) for before, word in zip(["", *words], words, strict=False) if _SLOT.fullmatch(word)}


@lru_cache(maxsize=1)
def _vocabulary() -> frozenset[str]:
    """Return every word of the forms."""
    forms = [re.sub(r"\{\w+\}", " ", form) for kind in phrases.FORMS.values() for form in kind]
    return frozenset(_words(" ".join(forms)))
