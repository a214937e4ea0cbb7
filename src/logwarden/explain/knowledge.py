"""What to look at next: the hints of knowledge.yaml, and which of them fits an anomaly."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property, lru_cache
from importlib import resources
from typing import NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict, Field

from logwarden.api.record import AnomalyRecord, EvidenceKind, UnitKind
from logwarden.explain import phrases

_SAFE_ARGUMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@-]{0,63}")


_OF_PROGRAM = "journalctl -u APP"


class Topic(BaseModel):
    """One entry of knowledge.yaml; the file's head says what the fields mean."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    topic: str
    about: str
    kinds: frozenset[EvidenceKind] = frozenset()
    apps: frozenset[str] = frozenset()
    words: tuple[str, ...] = ()
    next: tuple[str, ...] = Field(min_length=1)
    commands: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        # A short word stands alone (`fan` is not the start of `fanout`); a long one may have an ending.
        words = (re.escape(word) + (r"(?![a-z])" if len(word) <= 4 else "") for word in self.words)
        return re.compile(r"(?<![a-z0-9])(?:" + "|".join(words) + ")")

    @cached_property
    def _apps(self) -> frozenset[str]:
        return frozenset(app.lower() for app in self.apps)

    def matches(self, kind: EvidenceKind | None, app: str, text: str) -> bool:
        """Tell whether evidence of this kind about this text (both lower case) belongs to the topic."""
        if self.kinds and kind not in self.kinds:
            return False
        if self._apps and app not in self._apps:
            return False
        return not self.words or self._pattern.search(text) is not None


@lru_cache(maxsize=1)
def topics() -> tuple[Topic, ...]:
    """Return the topics in the order in which they are tried."""
    text = resources.files(__package__).joinpath("knowledge.yaml").read_text(encoding="utf-8")
    return tuple(Topic.model_validate(entry) for entry in yaml.safe_load(text))


@lru_cache(maxsize=4096)
def topic_for(kind: EvidenceKind | None, app: str, text: str) -> Topic:
    """Return the topic of evidence of a kind, from a program, about a masked text (template)."""
    name, words = app.lower(), text.lower()
    return next(topic for topic in topics() if topic.matches(kind, name, words))


class Lead(NamedTuple):
    """What a record is about: topic, program and host of its leading evidence, or of its most telling line."""

    topic: Topic
    app: str | None
    host: str | None

    @property
    def commands(self) -> list[str]:
        """Commands of the topic for this program and host."""
        return commands(self.topic, self.app, self.host)

    @property
    def step(self) -> str:
        """What to look at next, with the commands that show it."""
        written = ", ".join(f"`{command}`" for command in self.commands)
        return f"{self.topic.next[0]}{f' ({written})' if written else ''}"


def lead_of(record: AnomalyRecord) -> Lead:
    """Return what a record is about."""
    ranked = phrases.ranked(record.evidence)
    kind = ranked[0].kind if ranked else None
    text = next(filter(None, map(phrases.text_of, ranked)), record.template.text)
    # A flow record tells of the network, not of a program on the host that wrote it.
    app = None if record.unit is UnitKind.FLOW else phrases.app_of(text) or record.source.app
    return Lead(topic_for(kind, app or "", text), app, record.source.host)


def commands(topic: Topic, app: str | None, host: str | None) -> list[str]:
    """Return the topic's commands for a program and a host; one that needs an unsafe or unknown name is left out."""
    names = {"APP": app, "HOST": host}
    return [command for command in (_fill(template, names) for template in topic.commands) if command]


def _fill(command: str, names: dict[str, str | None]) -> str | None:
    if command == _OF_PROGRAM and names["APP"] == "kernel":
        return "journalctl -k"
    for slot, value in names.items():
        if slot not in command.split():
            continue
        if not value or not _SAFE_ARGUMENT.fullmatch(value):
            return None
        command = " ".join(value if word == slot else word for word in command.split())
    return command


def all_commands(app: str | None, host: str | None) -> Iterable[str]:
    """Return every command that a hint may name for this program and host."""
    return {command for topic in topics() for command in commands(topic, app, host)}


def all_hints() -> Iterable[str]:
    """Return every hint of the table."""
    return {hint for topic in topics() for hint in topic.next}
