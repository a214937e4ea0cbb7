"""What each kind of evidence says, as sentences with roles.

A form such as ``{app} wrote {text} {times} in {span}; normal is at most {normal}`` can be used when the evidence has a
value for each of its roles. The plain rendering takes the first form that can be used; the language model learns from
all of them. Forms are written so that they can follow ``HOST:`` as well as ``Also,``.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

from logwarden import mask
from logwarden.api.record import Evidence, EvidenceKind
from logwarden.explain import values

ALL_LINES = "all lines"
"""Template of a burst that counts every line of a host."""

Roles = dict[str, str]

# Share of the normal clock offset below which the new one reads like it: durations are written in two units.
_SMALL_MOVE = 0.1

FORMS: Mapping[EvidenceKind, tuple[str, ...]] = {
    EvidenceKind.BURST: (
        "{app} wrote {text} {times} in {span}; normal is at most {normal}",
        "{text} was written {times} in {span}; normal is at most {normal}",
        "{app} wrote {text} {times} in {span}, where normal is at most {normal}",
        "in {span} {app} wrote {text} {times}, more than the normal {normal}",
        "{lines} arrived in {span} from all programs together; normal is at most {normal}",
        "all programs together wrote {lines} in {span}, where normal is at most {normal}",
        "{app} wrote {text} {times} in {span}, more often than normal",
        "{text} was written {times} in {span}, more often than normal",
        "{app} wrote {text} {times}; normal is at most {normal}",
        "{text} was written {times}; normal is at most {normal}",
        "{lines} arrived, where normal is at most {normal}",
        "{lines} arrived in {span}, more than normal",
        "{app} wrote {text} more often than normal",
        "{text} was written more often than normal",
        "more lines arrived than normal",
    ),
    EvidenceKind.SILENCE: (
        "nothing was received for {silent}; the normal gap between lines is at most {gap}",
        "no line came for {silent}, although normal gaps last at most {gap}",
        "it has been silent for {silent}; normal gaps last at most {gap}",
        "nothing was received for {silent}",
        "nothing is received any more; the normal gap between lines is at most {gap}",
        "it has gone silent",
    ),
    EvidenceKind.MISSING_EVENT: (
        "{app} has not written {text} for {missing}; normal is at least every {every}",
        "{text} has not come for {missing}; normal is at least every {every}",
        "the regular {text} is missing for {missing}; normal is at least every {every}",
        "{app} has not written the regular {text} for {missing}",
        "the regular {text} is missing for {missing}",
        "the regular {text} is missing; normal is at least every {every}",
        "the regular {text} is missing",
        "an expected message is missing",
    ),
    EvidenceKind.CLOCK_OFFSET: (
        "the time in its lines is {offset} the time of receipt; normal is {normal}",
        "its clock is {offset} the clock of the receiver, where normal is {normal}",
        "the time in its lines is {offset} the time of receipt",
        "the time in its lines does not agree with the time of receipt",
    ),
    EvidenceKind.NEVER_SEEN_TEMPLATE: (
        "{app} wrote {text} {times}, a message never seen before; the nearest normal message is {nearest}",
        "{app} wrote {text}, a message never seen before; the nearest normal message is {nearest}",
        "{text} was written {times} and was never seen before; the nearest normal message is {nearest}",
        "{app} wrote {text} {times}, which was never seen while learning what is normal",
        "{app} wrote {text} {times}, a message never seen before, and no normal message is close to it",
        "{text} was written {times} and was never seen before; no normal message is close to it",
        "{text} is a message never seen before; the nearest normal message is {nearest}",
        "{app} wrote {text}, a message never seen before",
        "{text} is a message never seen before",
        "{app} wrote a message never seen before",
        "a message came that was never seen before",
    ),
    EvidenceKind.NEVER_SEEN_ON_HOST: (
        "{app} wrote {text}, which this host never wrote before; it is normal on {others}",
        "{text} is new on this host, while it is normal on {others}",
        "{text} was never seen on this host before; it is normal on {others}",
        "{app} wrote {text}, which this host never wrote before",
        "{text} was never seen on this host before",
        "{app} wrote a message that this host never wrote before",
        "this host wrote a message that it never wrote before",
    ),
    EvidenceKind.NEVER_SEEN_COMBINATION: (
        "these messages were never seen together before: {text}; known as normal: {combinations}",
        "the messages {text} never came together before; known as normal: {combinations}",
        "these messages were never seen together before: {text}",
        "its messages came in a combination never seen before; known as normal: {combinations}",
        "its messages came in a combination never seen before",
    ),
    EvidenceKind.MODEL_VERDICT: (
        "the language model gives {text} together with {more} a probability of {probability} to be an anomaly",
        "the language model is {probability} sure that {text} together with {more} is an anomaly",
        "the language model gives {text} a probability of {probability} to be an anomaly",
        "the language model is {probability} sure that {text} is an anomaly",
        "the language model takes {text} for an anomaly",
        "the language model takes these lines for an anomaly",
    ),
    EvidenceKind.UNLIKELY_TEXT: (
        "the wording of {text} surprises the language model, most of all {tokens}: surprise {loss}, normal is {normal}",
        "the language model finds {text} unusual, most of all {tokens}: surprise {loss}, where normal is {normal}",
        "the wording of {text} surprises the language model: surprise {loss}, normal is {normal}",
        "the wording of {text} surprises the language model, most of all {tokens}",
        "the wording of {text} surprises the language model",
        "the wording of these lines surprises the language model",
    ),
}


_LAST = frozenset({EvidenceKind.MODEL_VERDICT, EvidenceKind.UNLIKELY_TEXT})


def ranked(evidence: Iterable[Evidence]) -> list[Evidence]:
    """Order evidence for telling: the oddest first, and what only the language model says after what was counted.

    Of several pieces that say the same about the same text and host (a burst in 30 s and in 5 min), the oddest is kept.
    """
    ordered = sorted(evidence, key=lambda e: (e.kind in _LAST, -e.score))
    subjects = {(e.kind, e.facts.get("template"), e.facts.get("host")): e for e in reversed(ordered)}
    return [e for e in ordered if subjects[e.kind, e.facts.get("template"), e.facts.get("host")] is e]


def text_of(evidence: Evidence) -> str:
    """Return the masked text that a piece of evidence is about, or an empty string."""
    return str(evidence.facts.get("template") or evidence.facts.get("templates") or "")


def roles(evidence: Evidence) -> Roles:
    """Return what the evidence has to say, written for a person, by role; a fact that is missing has no role."""
    found = _ROLES[evidence.kind](evidence.facts)
    return {role: text for role, text in found.items() if text}


@lru_cache(maxsize=256)
def fields(form: str) -> frozenset[str]:
    """Return the roles that a form needs."""
    return frozenset(field for _, field, _, _ in string.Formatter().parse(form) if field)


def usable(kind: EvidenceKind, available: Mapping[str, object]) -> list[str]:
    """Return the forms whose roles are all available, in their order; there is always one."""
    return [form for form in FORMS[kind] if fields(form) <= available.keys()]


Facts = Mapping[str, values.Value]
_Written = dict[str, str | None]


def _text_and_app(facts: Facts) -> _Written:
    app = values.name(facts.get("app")) or app_of(facts.get("template"))
    return {"app": app, "text": _quoted(facts.get("template"), app)}


def _quoted(template: values.Value | None, app: str | None) -> str | None:
    """Quote a template without its program, where that is named already; a name as shown may lack some characters."""
    return values.quote(template, mask.app_of(values.plain_text(str(template))) if app else "")


def app_of(template: values.Value | None) -> str | None:
    """Return the program that a template's text begins with (``sshd: Failed ...``), or None."""
    return values.name(mask.app_of(str(template or "")))


def _burst(facts: Facts) -> _Written:
    shared = {"span": values.duration(facts.get("seconds")), "normal": values.number(facts.get("normal_count"))}
    if facts.get("template") == ALL_LINES:
        return {"lines": values.counted(facts.get("count"), "line"), **shared}
    return {**_text_and_app(facts), "times": values.times(facts.get("count")), **shared}


def _silence(facts: Facts) -> _Written:
    return {
        "silent": values.duration(facts.get("silent_seconds")),
        "gap": values.duration(facts.get("normal_gap_seconds")),
    }


def _missing_event(facts: Facts) -> _Written:
    return {
        **_text_and_app(facts),
        "missing": values.duration(facts.get("missing_seconds")),
        "every": values.duration(facts.get("expected_every_seconds")),
    }


def _clock_offset(facts: Facts) -> _Written:
    offset = _moved(facts) or _side(facts.get("offset_seconds"))
    return {
        "offset": f"{offset} of" if offset and offset.endswith("ahead") else offset,
        "normal": _side(facts.get("normal_offset_seconds")),
    }


def _moved(facts: Facts) -> str | None:
    """Write by how much a clock went on where its offset alone, rounded, would read like the normal one."""
    moved, normal = facts.get("moved_seconds"), facts.get("normal_offset_seconds")
    length = values.duration(moved)
    if length is None or values.number(normal) is None:
        return None
    by, before = float(moved or 0), float(normal or 0)
    if abs(by) > _SMALL_MOVE * abs(before):
        return None
    return f"{length} {'further' if (by < 0) == (before < 0) else 'less'} {_direction(before)}"


def _side(seconds: values.Value | None) -> str | None:
    """Write a clock offset; a positive one is a clock that is ahead of the receiver's."""
    length = values.duration(seconds)
    return f"{length} {_direction(float(seconds or 0))}" if length else None


def _direction(offset: float) -> str:
    return "behind" if offset < 0 else "ahead"


def _never_seen_template(facts: Facts) -> _Written:
    said = _text_and_app(facts)
    return {
        **said,
        "times": values.times(facts.get("count")),
        "nearest": _nearest(facts, said["app"]),
    }


def _nearest(facts: Facts, app: str | None) -> str | None:
    """Quote the nearest message, with its program where that is another one."""
    nearest = facts.get("nearest")
    return _quoted(nearest, app if app == app_of(nearest) else None)


def _never_seen_on_host(facts: Facts) -> _Written:
    return {**_text_and_app(facts), "others": _other_hosts(facts.get("other_hosts"))}


def _other_hosts(others: values.Value | None) -> str | None:
    if isinstance(others, str):
        return ", ".join(filter(None, map(values.name, others.split(","))))
    return values.counted(others, "other host") if others else None


def _never_seen_combination(facts: Facts) -> _Written:
    return {
        "text": values.quote(facts.get("templates")),
        "combinations": values.counted(facts.get("normal_combinations"), "combination"),
    }


def _model_verdict(facts: Facts) -> _Written:
    return {
        **_text_and_app(facts),
        "probability": values.percent(facts.get("probability")),
        "more": values.counted(facts.get("other_messages") or None, "other message"),
    }


def _unlikely_text(facts: Facts) -> _Written:
    return {
        **_text_and_app(facts),
        "loss": values.number(facts.get("loss")),
        "normal": values.number(facts.get("normal_loss")),
        "tokens": values.quote(facts.get("tokens")),
    }


_ROLES: Mapping[EvidenceKind, Callable[[Facts], _Written]] = {
    EvidenceKind.BURST: _burst,
    EvidenceKind.SILENCE: _silence,
    EvidenceKind.MISSING_EVENT: _missing_event,
    EvidenceKind.CLOCK_OFFSET: _clock_offset,
    EvidenceKind.NEVER_SEEN_TEMPLATE: _never_seen_template,
    EvidenceKind.NEVER_SEEN_ON_HOST: _never_seen_on_host,
    EvidenceKind.NEVER_SEEN_COMBINATION: _never_seen_combination,
    EvidenceKind.MODEL_VERDICT: _model_verdict,
    EvidenceKind.UNLIKELY_TEXT: _unlikely_text,
}
