"""Rate: bursts, silences and clocks, each against the host's own normal."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Container, Iterable, Iterator, Sequence
from math import sqrt
from typing import Any

from logwarden.api.record import EvidenceKind
from logwarden.channels.base import Facts, Finding, Reading
from logwarden.mask import app_of
from logwarden.templates import Templates
from logwarden.units import Unit

HORIZONS = (30.0, 300.0)
"""Seconds over which lines are counted: the short one shows bursts, the long one slow drips."""

_SLOT = HORIZONS[0]

ALL_LINES = 0
"""Stands for "all lines of the host" among the template ids, which are hashes and never 0."""

# A template is expected to recur when it was seen this often, its longest gap is not much longer than its mean gap,
# and it is not so rare that its absence would be noticed too late to matter.
_MINIMUM_GAPS = 12
_REGULAR = 2.5
_MOST_OF_THE_TIME = 0.8
_LONGEST_GAP = 180.0
# Jitter of a timer, seconds, so that a gap of 10.2 s against a longest one of 10.0 s is nothing.
_GAP_SLACK = 5.0
# Normal units after which the normal of an unknown host is taken for learned.
_LEARNED_UNITS = 40
# Templates of an unknown host whose normal is learned.
_MOST_TEMPLATES = 2000
# Resolution of RFC 3164 time stamps plus transport, seconds.
_CLOCK_SLACK = 3.0


class _Sliding:
    """Counts per template over the last ``seconds`` seconds of one host."""

    __slots__ = ("_recent", "seconds", "totals")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.totals: dict[int, int] = {}
        self._recent: deque[tuple[float, dict[int, int]]] = deque()

    def add(self, end: float, counts: dict[int, int]) -> None:
        self._recent.append((end, counts))
        totals = self.totals
        for template, count in counts.items():
            totals[template] = totals.get(template, 0) + count

    def forget(self, now: float) -> None:
        oldest, recent, totals = now - self.seconds, self._recent, self.totals
        while recent and recent[0][0] <= oldest:
            for template, count in recent.popleft()[1].items():
                left = totals[template] - count
                if left:
                    totals[template] = left
                else:
                    del totals[template]

    def spread(self, template: int, end: float, count: int, most: int) -> int:
        """Count a template's lines, ``count`` of them in a unit that ends at ``end``, but at most ``most`` a slot."""
        slots: defaultdict[float, int] = defaultdict(int, {end // _SLOT: count})
        for earlier, counts in self._recent:
            slots[earlier // _SLOT] += counts.get(template, 0)
        return sum(min(lines, most) for lines in slots.values())

    def to_state(self) -> list[Any]:
        return [[end, list(counts.items())] for end, counts in self._recent]

    def restore(self, state: list[Any]) -> None:
        for end, pairs in state:
            self.add(end, dict(pairs))


class _Host:
    """The recent past of one host.

    ``learned`` counts the normal units since the start, and ``most`` their most lines per template within each
    horizon: what is normal for a host that training did not know. ``newest`` is the end of the latest unit.
    """

    __slots__ = ("clock_offset", "last_seen", "learned", "most", "newest", "sliding")

    def __init__(self) -> None:
        self.learned = 0
        self.most: dict[int, list[int]] = {}
        self._start_over()

    def _start_over(self) -> None:
        self.forget_counts()
        self.last_seen: dict[int, float] = {}
        self.clock_offset: float | None = None
        self.newest = 0.0

    def forget_counts(self) -> None:
        """Let the counting within the horizons begin anew."""
        self.sliding = [_Sliding(seconds) for seconds in HORIZONS]

    def pass_to(self, now: float) -> None:
        """Let the clock pass to ``now``; where it went back (another file, say), the past is not the past any more."""
        if now < self.newest - HORIZONS[-1]:
            self._start_over()
        self.newest = max(self.newest, now)
        for sliding in self.sliding:
            sliding.forget(now)

    def totals(self, unit: Unit) -> Iterator[tuple[int, list[int]]]:
        """Yield each template of a unit with its lines within each horizon, the unit's own included."""
        for template, count in _counts(unit).items():
            yield template, [sliding.totals.get(template, 0) + count for sliding in self.sliding]

    def learn_most(self, unit: Unit) -> None:
        """Take a normal unit into what is normal for the host."""
        self.learned += 1
        for template, now in self.totals(unit):
            if template in self.most or len(self.most) < _MOST_TEMPLATES:
                self.most[template] = _higher(self.most.get(template), now)

    def add(self, unit: Unit) -> None:
        """Count a unit's lines."""
        counts = _counts(unit)
        for sliding in self.sliding:
            sliding.add(unit.end, counts)

    def see(self, unit: Unit, expected: Container[int]) -> None:
        """Remember when each expected template was last seen."""
        for template, time in unit.occurrences:
            if template in expected:
                self.last_seen[template] = time


def _counts(unit: Unit) -> dict[int, int]:
    """Lines per template, and all of them under :data:`ALL_LINES`."""
    return {**unit.counts, ALL_LINES: len(unit.templates)}


class _Gaps:
    """Time between one template's lines on one host: how many gaps, their sum and the longest, seconds."""

    __slots__ = ("count", "longest", "total")

    def __init__(self) -> None:
        self.count = 0
        self.total = 0.0
        self.longest = 0.0

    def add(self, gap: float) -> None:
        self.count += 1
        self.total += gap
        self.longest = max(self.longest, gap)

    def regular_within(self, observed: float) -> bool:
        """Whether the template kept coming all through the ``observed`` seconds of its host."""
        return (
            self.count >= _MINIMUM_GAPS
            and self.total >= _MOST_OF_THE_TIME * observed
            and self.longest <= _LONGEST_GAP
            and self.longest <= _REGULAR * self.total / self.count + _GAP_SLACK
        )


class RateChannel:
    """More lines than ever, no lines for longer than ever, or a clock that jumped.

    What is normal is the most that training saw of a template on a host within each horizon, and the longest time
    that a regular template or the host stayed away. The normal of a host that training did not see is learned from its
    own normal units, and its silences are not judged. Sessions have no rate: how many lines of a kind they should have
    is what the novelty channel knows.
    """

    name = "rate"

    def __init__(self, templates: Templates) -> None:
        self._templates = templates
        self._hosts: defaultdict[str, _Host] = defaultdict(_Host)
        # Per host and template: the most lines within each horizon.
        self._most: defaultdict[str, dict[int, list[int]]] = defaultdict(dict)
        # Per host: longest normal gap of each regular template; ALL_LINES stands for the host itself.
        self._longest_gap: dict[str, dict[int, float]] = {}

    def fit(self, units: Iterable[Unit]) -> None:
        """Measure the busiest and the quietest normal times. A step back in time starts a new recording."""
        hosts: defaultdict[str, _Host] = defaultdict(_Host)
        gaps: defaultdict[str, defaultdict[int, _Gaps]] = defaultdict(lambda: defaultdict(_Gaps))
        for unit in units:
            if not unit.templates or not _has_rate(unit):
                continue
            host = hosts[unit.host]
            if unit.start < max(host.last_seen.values(), default=0.0):
                host = hosts[unit.host] = _Host()
            host.pass_to(unit.end)
            self._measure(unit, host)
            host.add(unit)
            for template, time in unit.occurrences:
                for key in (template, ALL_LINES):
                    if key in host.last_seen:
                        gaps[unit.host][key].add(time - host.last_seen[key])
                    host.last_seen[key] = time
        for name, by_template in gaps.items():
            observed = by_template[ALL_LINES].total
            self._longest_gap[name] = {
                template: round(gap.longest, 1)
                for template, gap in by_template.items()
                if gap.regular_within(observed) or (template == ALL_LINES and gap.count >= _MINIMUM_GAPS)
            }

    def _measure(self, unit: Unit, host: _Host) -> None:
        for template, now in host.totals(unit):
            most = self._most[unit.host]
            most[template] = _higher(most.get(template), now)

    def silence(self, host: str, gap: float) -> float:
        """How many times its longest normal silence a host has been silent for ``gap`` seconds; 0 if unknown."""
        longest = self._longest_gap.get(host, {}).get(ALL_LINES)
        return 0.0 if longest is None else gap / (longest + _GAP_SLACK)

    def prepare(self, units: Sequence[Unit]) -> None:
        """Nothing here is worth batching."""

    def read(self, unit: Unit) -> Reading:
        """Return bursts, silences, missing events and clock jumps of a unit; nothing of one that has no time."""
        if not _has_rate(unit):
            return []
        if unit.silent_since is not None:
            return [self._silence(unit, unit.silent_since)]
        host = self._hosts[unit.host]
        host.pass_to(unit.end)
        reading = [*self._bursts(unit, host), *self._missing(unit, host)]
        clock = self._clock(unit, host)
        if clock is not None:
            reading.append(clock)
        host.see(unit, self._longest_gap.get(unit.host, ()))
        return reading

    def _bursts(self, unit: Unit, host: _Host) -> list[Finding]:
        most = self._most.get(unit.host)
        if most is None:
            most = host.most if host.learned >= _LEARNED_UNITS else {}
        findings = []
        for template, lines in _counts(unit).items():
            normal = most.get(template)
            if normal is None:
                continue  # unknown templates are the novelty channel's business
            for sliding, limit in zip(host.sliding, normal, strict=True):
                count, seconds = sliding.totals.get(template, 0) + lines, sliding.seconds
                odd = count
                if count > limit and seconds > _SLOT:
                    # A burst that is over must not go on being told: what is odd here is what comes slowly and still
                    # comes, at a pace that would pass the limit.
                    if (host.sliding[0].totals.get(template, 0) + lines) * seconds / _SLOT <= limit:
                        continue
                    odd = sliding.spread(template, unit.end, lines, most=normal[0])
                if odd > limit:
                    raw = (odd - limit) / sqrt(limit + 1)
                    facts = self._facts(unit.host, template)
                    facts |= {"count": count, "seconds": round(seconds), "normal_count": limit}
                    findings.append(Finding(EvidenceKind.BURST, raw, facts, template or None))
        return findings

    def _missing(self, unit: Unit, host: _Host) -> list[Finding]:
        findings = []
        present = unit.counts
        for template, longest in self._longest_gap.get(unit.host, {}).items():
            last = host.last_seen.get(template)
            if last is None or template in present or template == ALL_LINES:
                continue
            gap = unit.end - last
            if gap > longest + _GAP_SLACK:
                facts = self._facts(unit.host, template)
                facts |= {"expected_every_seconds": round(longest), "missing_seconds": round(gap)}
                raw = gap / (longest + _GAP_SLACK) - 1
                findings.append(Finding(EvidenceKind.MISSING_EVENT, raw, facts, template))
        return findings

    def _silence(self, unit: Unit, since: float) -> Finding:
        gap = unit.end - since
        facts: Facts = {
            "host": unit.host,
            "silent_seconds": round(gap),
            "normal_gap_seconds": round(self._longest_gap[unit.host][ALL_LINES]),
        }
        return Finding(EvidenceKind.SILENCE, self.silence(unit.host, gap) - 1, facts)

    @staticmethod
    def _clock(unit: Unit, host: _Host) -> Finding | None:
        offset = unit.clock_offset
        if offset is None:
            return None
        normal, host.clock_offset = host.clock_offset, offset
        if normal is None or abs(offset - normal) <= _CLOCK_SLACK:
            return None
        facts: Facts = {
            "host": unit.host,
            "offset_seconds": round(offset, 1),
            "normal_offset_seconds": round(normal, 1),
            "moved_seconds": round(offset - normal, 1),
        }
        return Finding(EvidenceKind.CLOCK_OFFSET, abs(offset - normal), facts)

    def _facts(self, host: str, template: int) -> Facts:
        text = "all lines" if template == ALL_LINES else self._templates.text_of(template) or ""
        facts: Facts = {"template": text, "host": host}
        if template != ALL_LINES and (app := app_of(text)):
            facts["app"] = app
        return facts

    def learn(self, unit: Unit) -> None:
        """Count a normal unit's lines within the horizons.

        What was reported is not counted, or a burst would go on being told after its end. Normal rates stay as
        fitted: a slow drip must not teach its own rate.
        """
        if not unit.templates or not _has_rate(unit):
            return
        host = self._hosts[unit.host]
        host.pass_to(unit.end)
        if unit.host not in self._most:
            host.learn_most(unit)
        host.add(unit)

    def reported(self, unit: Unit) -> None:
        """Count anew: what a fault brought before it was noticed must not make the quiet time after it look busy."""
        if _has_rate(unit):
            self._hosts[unit.host].forget_counts()

    def to_json(self) -> dict[str, Any]:
        """Return the normal rates and gaps by host."""
        return {
            "most": {host: [[t, *most] for t, most in by.items()] for host, by in self._most.items()},
            "longest_gap": {host: list(by.items()) for host, by in self._longest_gap.items()},
        }

    @classmethod
    def from_json(cls, fitted: dict[str, Any], templates: Templates) -> RateChannel:
        """Rebuild from :meth:`to_json`."""
        channel = cls(templates)
        for host, rows in fitted["most"].items():
            for template, *most in rows:
                channel._most[host][template] = most
        channel._longest_gap = {host: dict(map(tuple, rows)) for host, rows in fitted["longest_gap"].items()}
        return channel

    def to_state(self) -> dict[str, Any]:
        """Return the recent past of every host."""
        return {
            name: {
                "sliding": [sliding.to_state() for sliding in host.sliding],
                "last_seen": list(host.last_seen.items()),
                "clock_offset": host.clock_offset,
                "newest": host.newest,
                "learned": host.learned,
                "most": list(host.most.items()),
            }
            for name, host in self._hosts.items()
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`to_state`."""
        for name, saved in state.items():
            host = self._hosts[name]
            for sliding, counts in zip(host.sliding, saved["sliding"], strict=True):
                sliding.restore(counts)
            host.last_seen = dict(saved["last_seen"])
            host.clock_offset = saved["clock_offset"]
            host.newest = saved["newest"]
            host.learned = saved["learned"]
            host.most = dict(saved["most"])


def _has_rate(unit: Unit) -> bool:
    """Sessions have no rate, and neither has input in which no line states a time."""
    return unit.session is None and unit.end > 0


def _higher(before: list[int] | None, now: list[int]) -> list[int]:
    return now if before is None else [max(a, b) for a, b in zip(before, now, strict=True)]
