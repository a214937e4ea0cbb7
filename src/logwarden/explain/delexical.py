"""Evidence with its values taken out, for a model that writes sentences but cannot copy numbers.

A record becomes a prompt with slots (``HOST1``, ``TEXT1``, ``C1``) and the values of the slots. The model answers with
sentences that have the same slots, and the values are put back in afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from logwarden.api.record import AnomalyRecord, Evidence, EvidenceKind
from logwarden.explain import knowledge, phrases, plain, values

PROMPT_WORDS = 14
"""Words of the leading text that the prompt shows the model."""

SLOT = re.compile(r"\b(?:HOST|APP|TEXT|CMD|C|T|N|P)\d+\b")

_SLOT_OF_ROLE = {
    "app": "APP", "host": "HOST", "text": "TEXT", "nearest": "TEXT", "tokens": "TEXT",
    "times": "C", "lines": "C", "combinations": "C", "others": "C", "more": "C",
    "span": "T", "silent": "T", "gap": "T", "missing": "T", "every": "T", "offset": "T",
    "normal": "N", "loss": "N", "probability": "P",
}  # fmt: skip


SLOT_WORDS = tuple(f"{prefix}{n}" for prefix in ("HOST", "APP", "TEXT", "CMD", "C", "T", "N", "P") for n in range(1, 7))
"""The slots that texts usually have, for a tokenizer that keeps each in one piece."""


class Part(NamedTuple):
    """One piece of evidence: its kind, and the slot of each role."""

    kind: EvidenceKind
    slots: Mapping[str, str]
    elsewhere: str | None
    """Slot of the host, where it is not the record's."""


@dataclass(frozen=True)
class Delexicalised:
    """A record as a prompt and the values that were taken out of it.

    ``lead`` says what the record is about, ``values`` gives the value of each slot, ``host`` and ``commands`` are slots
    or None where there is no value.
    """

    parts: tuple[Part, ...]
    values: Mapping[str, str]
    lead: knowledge.Lead
    host: str | None
    commands: str | None
    shown: str

    @property
    def prompt(self) -> str:
        """The evidence in compact words, without the prefix that names the task."""
        head = " ".join(filter(None, [self.host, "about", self.lead.topic.topic, self.commands]))
        return " | ".join([head, *map(_part_words, self.parts), self.shown])

    def fill(self, text: str) -> str:
        """Put the values in; slots that are unknown stay."""
        return SLOT.sub(lambda match: self.values.get(match[0], match[0]), text)


def _part_words(part: Part) -> str:
    words = [part.kind.value.replace("_", " "), *(f"{role} {slot}" for role, slot in part.slots.items())]
    return " ".join([*words, f"on {part.elsewhere}"] if part.elsewhere else words)


class _Slots:
    """Gives each distinct value a slot, numbered in the order of first use."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self._of_value: dict[tuple[str, str], str] = {}

    def slot(self, prefix: str, value: str) -> str:
        known = self._of_value.get((prefix, value))
        if known is None:
            known = f"{prefix}{sum(slot.rstrip('0123456789') == prefix for slot in self.values) + 1}"
            self._of_value[prefix, value] = known
            self.values[known] = value
        return known


def delexicalise(record: AnomalyRecord) -> Delexicalised | None:
    """Take the values out of a record's evidence, or return None when it has no evidence or no readable host."""
    host = values.name(record.source.host)
    evidence = phrases.ranked(record.evidence)[: plain.MAX_FINDINGS]
    if host is None or not evidence:
        return None
    slots = _Slots()
    lead = knowledge.lead_of(record)
    commands = ", ".join(f"`{command}`" for command in lead.commands)
    host_slot = slots.slot("HOST", host)
    parts = tuple(_part(piece, slots, host) for piece in evidence)
    return Delexicalised(
        parts=tuple(part for index, part in enumerate(parts) if part not in parts[:index]),
        values=slots.values,
        lead=lead,
        host=host_slot,
        commands=slots.slot("CMD", commands) if commands else None,
        shown=_shown(evidence, record),
    )


def _part(evidence: Evidence, slots: _Slots, host: str) -> Part:
    written = phrases.roles(evidence)
    other = values.name(evidence.facts.get("host"))
    return Part(
        evidence.kind,
        {role: slots.slot(_SLOT_OF_ROLE[role], value) for role, value in written.items()},
        slots.slot("HOST", other) if other and other != host else None,
    )


def _shown(evidence: list[Evidence], record: AnomalyRecord) -> str:
    text = next(filter(None, map(phrases.text_of, evidence)), record.template.text)
    return " ".join(values.plain_text(text).split()[:PROMPT_WORDS])
