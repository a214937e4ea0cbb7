"""Novelty: what was never seen, weighed by how often new things are seen anyway."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from math import log10
from typing import Any

from logwarden.api.record import EvidenceKind
from logwarden.channels.base import Finding, Reading
from logwarden.mask import app_of
from logwarden.templates import Templates
from logwarden.units import Unit

_SHORT = 60
_COMBINATION_FACTS = 4
# What a device that training did not know shows is told once it is this surprising, in powers of ten; less is learning.
_STRANGER = 2.0
# Combinations learned per host while serving: a host with more is one where a new combination says nothing.
_MOST_COMBINATIONS = 2000
_MOST_TEMPLATES = 5000

Combination = tuple[int, ...]


class Surprise:
    """How surprising it is that the next thing is one never seen, by Good and Turing.

    The probability that the next draw is new is estimated by the share of things seen exactly once (Good 1953), so a
    source that brings new things every hour surprises nobody with another, and one that never did surprises greatly.
    """

    __slots__ = ("counts", "singles", "total")

    def __init__(self) -> None:
        self.counts: Counter[Any] = Counter()
        self.total = 0
        self.singles = 0

    def add(self, thing: Any, times: int = 1) -> None:
        """Count ``thing`` as seen ``times`` times."""
        before = self.counts.get(thing, 0)
        after = before + times
        self.counts[thing] = after
        self.total += times
        self.singles += (after == 1) - (before == 1)

    def __contains__(self, thing: object) -> bool:
        return thing in self.counts

    @property
    def bits(self) -> float:
        """Surprise of a new thing: -log10 of the probability that the next one is new."""
        return -log10((self.singles + 1) / (self.total + 2))

    def to_json(self) -> list[list[Any]]:
        """Return ``[thing, count]`` pairs, the most frequent first."""
        return [[thing, count] for thing, count in self.counts.most_common()]

    @classmethod
    def from_json(cls, pairs: Iterable[Sequence[Any]]) -> Surprise:
        """Rebuild from :meth:`to_json`."""
        surprise = cls()
        for thing, count in pairs:
            surprise.add(tuple(thing) if isinstance(thing, list) else thing, count)
        return surprise


class NoveltyChannel:
    """Templates never seen, seen only elsewhere, or never seen together.

    Counts are kept per program (its templates), per host (its templates), and per host (its sets of templates in one
    window). Sessions are compared with all other sessions, by the count of each template. What is found is weighed by
    :class:`Surprise`, so that unknown devices and programs are learned quietly at first and known ones speak up at
    once.
    """

    name = "novelty"

    def __init__(self, templates: Templates) -> None:
        self._templates = templates
        self._by_app: defaultdict[str, Surprise] = defaultdict(Surprise)
        self._by_host: defaultdict[str, Surprise] = defaultdict(Surprise)
        self._combinations: defaultdict[str, Surprise] = defaultdict(Surprise)
        # The counts of each counted template's program: found once, since its text does not change.
        self._app_of: dict[int, Surprise] = {}
        self._hosts_of: defaultdict[int, set[str]] = defaultdict(set)
        self._fitted_hosts: set[str] = set()
        # What was counted since the fit, per host: templates, and combinations; and the texts of unknown templates.
        self._texts: dict[int, str] = {}
        self._learned: defaultdict[str, tuple[Counter[int], Counter[Combination]]] = defaultdict(
            lambda: (Counter(), Counter())
        )

    def fit(self, units: Iterable[Unit]) -> None:
        """Count the templates and combinations of normal units."""
        for unit in units:
            counts = unit.counts
            self._fitted_hosts.add(unit.group)
            self._count(unit.group, counts)
            self._combinations[unit.group].add(unit.combination)

    def prepare(self, units: Sequence[Unit]) -> None:
        """Nothing here is worth batching."""

    def read(self, unit: Unit) -> Reading:
        """Return the never-seen things of a unit; ``raw`` is their surprise in powers of ten."""
        if not unit.templates:
            return []
        counts = unit.counts
        on_host = self._by_host[unit.group].counts
        reading = [
            self._unknown(unit, template, count) for template, count in counts.items() if template not in on_host
        ]
        if not reading and unit.combination and unit.combination not in self._combinations[unit.group]:
            reading.append(self._unknown_combination(unit, counts))
        if unit.group not in self._fitted_hosts:
            return [finding for finding in reading if finding.raw >= _STRANGER]
        return reading

    def _unknown(self, unit: Unit, template: int, count: int) -> Finding:
        text = self._templates.text_of(template) or ""
        app = _app(text)
        facts: dict[str, str | int | float] = {"template": text, "host": unit.host, "count": count}
        if named := app_of(text):
            facts["app"] = named
        if template in self._hosts_of:
            facts["other_hosts"] = len(self._hosts_of[template])
            return Finding(EvidenceKind.NEVER_SEEN_ON_HOST, self._by_host[unit.group].bits, facts, template)
        by_host = self._by_host[unit.group].bits
        if unit.group in self._fitted_hosts:
            by_host += 1.0
        raw = min(self._by_app[app].bits if app in self._by_app else 9.0, by_host)
        return Finding(EvidenceKind.NEVER_SEEN_TEMPLATE, raw, facts, template)

    def _unknown_combination(self, unit: Unit, counts: Counter[int]) -> Finding:
        seen = self._combinations[unit.group]
        members = counts if unit.company is None else unit.company
        rarest = sorted(members, key=self._by_host[unit.group].counts.__getitem__)[:_COMBINATION_FACTS]
        facts: dict[str, str | int | float] = {
            "host": unit.host,
            "templates": " + ".join(_shorten(self._templates.text_of(t) or "") for t in rarest),
            "normal_combinations": len(seen.counts),
        }
        # A combination is as odd as its rarest pair of members would be, were they independent.
        rarity = self._by_host[unit.group]
        expected = sum(log10(rarity.total / rarity.counts[t]) for t in rarest[:2]) / 2
        return Finding(EvidenceKind.NEVER_SEEN_COMBINATION, seen.bits * expected, facts, rarest[0])

    def learn(self, unit: Unit) -> None:
        """Count a normal unit's templates and combination, so that what is new becomes known."""
        if unit.templates:
            learned, combinations = self._learned[unit.group]
            counts = self._learnable(unit.counts, learned)
            for template, count in counts.items():
                learned[template] = learned.get(template, 0) + count
            combination = unit.combination
            if combination in combinations or len(combinations) < _MOST_COMBINATIONS:
                combinations[combination] += 1
                self._combinations[unit.group].add(combination)
            self._count(unit.group, counts)

    def reported(self, unit: Unit) -> None:
        """What was reported stays new, so that it is reported when it comes again; of a stranger it is told once.

        A device that training did not know has no normal yet: were its messages new for ever, each of them would be
        told for ever.
        """
        if unit.group not in self._fitted_hosts:
            self.learn(unit)

    def _learnable(self, counts: Counter[int], learned: Counter[int]) -> Counter[int]:
        """Leave out new templates of a host that has too many, and remember the texts of the others."""
        new = [template for template in counts if template not in learned]
        if not new:
            return counts
        room = max(0, _MOST_TEMPLATES - len(learned))
        for template in new[:room]:
            if template not in self._templates.known:
                self._texts.setdefault(template, self._text(template))
        without = set(new[room:])
        return Counter({template: count for template, count in counts.items() if template not in without})

    def _text(self, template: int) -> str:
        return self._texts.get(template) or self._templates.text_of(template) or ""

    def _count(self, host: str, counts: Counter[int]) -> None:
        by_host = self._by_host[host]
        for template, count in counts.items():
            by_host.add(template, count)
            self._hosts_of[template].add(host)
            by_app = self._app_of.get(template)
            if by_app is None:
                by_app = self._app_of[template] = self._by_app[_app(self._text(template))]
            by_app.add(template, count)

    def to_json(self) -> dict[str, Any]:
        """Return the counts by host; those by program follow from them."""
        return {
            "hosts": {host: surprise.to_json() for host, surprise in self._by_host.items()},
            "combinations": {host: surprise.to_json() for host, surprise in self._combinations.items()},
        }

    @classmethod
    def from_json(cls, fitted: dict[str, Any], templates: Templates) -> NoveltyChannel:
        """Rebuild from :meth:`to_json`."""
        channel = cls(templates)
        channel._fitted_hosts = set(fitted["hosts"])
        for host, pairs in fitted["hosts"].items():
            channel._by_host[host] = Surprise.from_json(pairs)
            for template, count in pairs:
                channel._hosts_of[template].add(host)
                channel._by_app[_app(templates.text_of(template) or "")].add(template, count)
        for host, pairs in fitted["combinations"].items():
            channel._combinations[host] = Surprise.from_json(pairs)
        return channel

    def to_state(self) -> dict[str, Any]:
        """Return what was counted since the fit, with the texts of templates: nobody else keeps unknown ones."""
        return {
            host: {
                "templates": [[self._text(t), count] for t, count in templates.items()],
                "combinations": [[list(combination), count] for combination, count in combinations.items()],
            }
            for host, (templates, combinations) in self._learned.items()
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Count again what :meth:`to_state` holds."""
        for host, learned in state.items():
            templates, combinations = self._learned[host]
            counts = Counter({self._templates.id_of(text): count for text, count in learned["templates"]})
            counts = self._learnable(counts, templates)
            templates.update(counts)
            self._count(host, counts)
            for members, count in learned["combinations"]:
                combinations[tuple(members)] += count
                self._combinations[host].add(tuple(members), count)


def _app(text: str) -> str:
    return text.partition(":")[0]


def _shorten(text: str) -> str:
    return text if len(text) <= _SHORT else text[: _SHORT - 1] + "…"
