"""Invented records for teaching a language model to explain: every kind of evidence, alone and in company."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from random import Random
from typing import NamedTuple

from logwarden.api.record import (
    AnomalyRecord,
    Evidence,
    EvidenceKind,
    LogSource,
    Origin,
    Severity,
    Template,
    UnitKind,
)
from logwarden.explain import knowledge, phrases
from logwarden.mask import line_text, mask

_TIME = datetime(2026, 1, 1, tzinfo=UTC)
_HOST_STEMS = ("r", "sw", "fw", "srv", "web", "db", "core-", "edge", "gw", "host-", "node", "pe")
_MISSING_FACT = 0.01

K = EvidenceKind
_COMPANY: Mapping[EvidenceKind, tuple[EvidenceKind, ...]] = {
    K.BURST: (
        K.BURST, K.MODEL_VERDICT, K.UNLIKELY_TEXT, K.NEVER_SEEN_ON_HOST, K.NEVER_SEEN_TEMPLATE,
        K.NEVER_SEEN_COMBINATION,
    ),
    K.SILENCE: (K.MISSING_EVENT, K.MISSING_EVENT),
    K.MISSING_EVENT: (K.MISSING_EVENT, K.NEVER_SEEN_TEMPLATE, K.MODEL_VERDICT, K.BURST),
    K.CLOCK_OFFSET: (K.NEVER_SEEN_TEMPLATE, K.MODEL_VERDICT, K.NEVER_SEEN_ON_HOST),
    K.NEVER_SEEN_TEMPLATE: (
        K.NEVER_SEEN_TEMPLATE, K.MODEL_VERDICT, K.UNLIKELY_TEXT, K.BURST, K.NEVER_SEEN_ON_HOST, K.MISSING_EVENT,
        K.NEVER_SEEN_COMBINATION,
    ),
    K.NEVER_SEEN_ON_HOST: (K.NEVER_SEEN_ON_HOST, K.MODEL_VERDICT, K.BURST, K.UNLIKELY_TEXT, K.MISSING_EVENT),
    K.NEVER_SEEN_COMBINATION: (K.MODEL_VERDICT, K.UNLIKELY_TEXT, K.BURST, K.MISSING_EVENT),
    K.MODEL_VERDICT: (K.UNLIKELY_TEXT, K.MODEL_VERDICT),
    K.UNLIKELY_TEXT: (K.MODEL_VERDICT,),
}  # fmt: skip


class _Scene(NamedTuple):
    """Where an invented record plays: its host and the texts that occur there."""

    host: str
    texts: tuple[str, ...]


Facts = dict[str, str | int | float]


def record(chance: Random) -> AnomalyRecord:
    """Invent a record with one to three pieces of evidence that can occur together."""
    scene = _scene(chance)
    lead = chance.choice(list(EvidenceKind))
    kinds = [lead, *chance.sample(_COMPANY[lead], k=min(len(_COMPANY[lead]), chance.choice((0, 0, 1, 1, 2))))]
    evidence = [_evidence(kind, scene, chance, 0.9 - 0.1 * rank) for rank, kind in enumerate(kinds)]
    text = scene.texts[0]
    return AnomalyRecord(
        id="sample", pipeline="sample", revision="sample", unit=UnitKind.WINDOW, start=_TIME, end=_TIME, detected=_TIME,
        source=LogSource(host=scene.host, app=phrases.app_of(text)),
        origin=Origin(stream="file:sample", first=1, last=1),
        lines=[], line_count=1, template=Template(id="sample", text=text), score=0.9, threshold=0.5,
        severity=Severity.WARNING, category=lead.value, channels={}, evidence=evidence,
    )  # fmt: skip


def _scene(chance: Random) -> _Scene:
    examples = [tuple(map(_masked, topic.examples)) for topic in knowledge.topics() if topic.examples]
    about = chance.choice(examples)
    elsewhere = chance.choice(examples)
    texts = (*chance.sample(about, len(about)), *chance.sample(elsewhere, len(elsewhere)))
    return _Scene(f"{chance.choice(_HOST_STEMS)}{chance.randint(1, 40)}", tuple(dict.fromkeys(texts)))


def _masked(example: str) -> str:
    """Mask a log text as serving does, so that the model learns from what it will read."""
    app, colon, message = example.partition(": ")
    return line_text(app, mask(message)) if colon else mask(example)


def _evidence(kind: EvidenceKind, scene: _Scene, chance: Random, score: float) -> Evidence:
    facts = _FACTS[kind](scene, chance)
    kept = {key: value for key, value in facts.items() if chance.random() > _MISSING_FACT}
    return Evidence(kind=kind, channel="sample", score=score, facts=kept)


def _said(scene: _Scene, chance: Random) -> Facts:
    text = scene.texts[0] if chance.random() < 0.7 else chance.choice(scene.texts)
    host = scene.host if chance.random() < 0.97 else f"{scene.host}b"
    return {"template": text, "app": phrases.app_of(text) or "", "host": host}


def _count(chance: Random, largest: int = 3000) -> int:
    return max(1, round(math.pow(largest, chance.random())))


def _burst(scene: _Scene, chance: Random) -> Facts:
    said = _said(scene, chance) if chance.random() < 0.85 else {"template": phrases.ALL_LINES, "host": scene.host}
    normal = _count(chance, 60)
    return {
        **said,
        "count": normal + _count(chance),
        "seconds": chance.choice((10, 30, 60, 300, 3600)),
        "normal_count": normal,
    }


def _silence(scene: _Scene, chance: Random) -> Facts:
    normal = _count(chance, 600)
    return {"host": scene.host, "silent_seconds": normal + _count(chance, 9000), "normal_gap_seconds": normal}


def _missing_event(scene: _Scene, chance: Random) -> Facts:
    every = _count(chance, 90000)
    return {**_said(scene, chance), "expected_every_seconds": every, "missing_seconds": every + _count(chance, 90000)}


def _clock_offset(scene: _Scene, chance: Random) -> Facts:
    offset = chance.choice((-1, 1)) * (_count(chance, 90000) + 2.5)
    return {"host": scene.host, "offset_seconds": offset, "normal_offset_seconds": round(chance.gauss(0, 1), 1)}


def _never_seen_template(scene: _Scene, chance: Random) -> Facts:
    nearest: Facts = (
        {"nearest": chance.choice(scene.texts[1:])} if len(scene.texts) > 1 and chance.random() < 0.6 else {}
    )
    return {**_said(scene, chance), "count": _count(chance, 20), **nearest}


def _never_seen_on_host(scene: _Scene, chance: Random) -> Facts:
    return {**_said(scene, chance), "other_hosts": _count(chance, 12)}


def _never_seen_combination(scene: _Scene, chance: Random) -> Facts:
    joined = " + ".join(text[:40].strip() for text in scene.texts[: chance.randint(2, 4)])
    return {"templates": joined, "host": scene.host, "normal_combinations": _count(chance, 200)}


def _model_verdict(scene: _Scene, chance: Random) -> Facts:
    others: Facts = {"other_messages": _count(chance, 30)} if chance.random() < 0.6 else {}
    template = _said(scene, chance)["template"]
    return {"template": template, **others, "probability": round(chance.uniform(0.3, 1), 3)}


def _unlikely_text(scene: _Scene, chance: Random) -> Facts:
    text = str(_said(scene, chance)["template"])
    normal = round(chance.uniform(0.5, 3), 2)
    words = text.split()
    tokens: Facts = {"tokens": " ".join(chance.sample(words, min(3, len(words))))} if chance.random() < 0.7 else {}
    return {"template": text, "loss": round(normal + chance.uniform(0.5, 6), 2), "normal_loss": normal, **tokens}


_FACTS: Mapping[EvidenceKind, Callable[[_Scene, Random], Facts]] = {
    K.BURST: _burst,
    K.SILENCE: _silence,
    K.MISSING_EVENT: _missing_event,
    K.CLOCK_OFFSET: _clock_offset,
    K.NEVER_SEEN_TEMPLATE: _never_seen_template,
    K.NEVER_SEEN_ON_HOST: _never_seen_on_host,
    K.NEVER_SEEN_COMBINATION: _never_seen_combination,
    K.MODEL_VERDICT: _model_verdict,
    K.UNLIKELY_TEXT: _unlikely_text,
}
