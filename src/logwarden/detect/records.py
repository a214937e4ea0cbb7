"""From a scored unit to an anomaly record with its evidence."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b

from logwarden.api.record import (
    AnomalyRecord,
    Evidence,
    EvidenceKind,
    LogLine,
    LogSource,
    Origin,
    Severity,
    Template,
    UnitKind,
)
from logwarden.channels.base import Finding
from logwarden.channels.calibration import to_score
from logwarden.channels.ensemble import Scored
from logwarden.detect.model import DetectionModel
from logwarden.events import ParsedLine
from logwarden.explain import ranked, render
from logwarden.parse import LineParser
from logwarden.templates import display_id
from logwarden.units import Unit

_MOST_LINES = 64
_MOST_EVIDENCE = 6
_LONGEST_LINE = 4096
# A finding is told when a normal unit shows as much less than once in ten.
_WORTH_TELLING = 1.0
_SURPRISING_WORDS = 5
# Share of words that a normal message has in common with a new one to be shown beside it.
_NEAR = 0.5
_REMEMBERED = 4096


class RecordMaker:
    """Builds anomaly records for one revision and one pipeline."""

    def __init__(self, model: DetectionModel, pipeline: str, parser: LineParser, threshold: float) -> None:
        self._model = model
        self._pipeline = pipeline
        self._parser = parser
        self._threshold = threshold
        self._nearest = lru_cache(_REMEMBERED)(model.templates.nearest)
        self._surprising_words = lru_cache(_REMEMBERED)(self._find_surprising_words)

    def make(self, scored: Scored, *, address: str | None, listener: str | None, detected: float) -> AnomalyRecord:
        """Build the record of a unit, with evidence and the plain explanation.

        ``detected`` is Unix seconds.
        """
        unit = scored.unit
        telling = [item for item in scored.findings if item[0] >= _WORTH_TELLING] or scored.findings[:1]
        telling = sorted(_distinct(telling), key=_rank)[:_MOST_EVIDENCE]
        odd = {finding.template for _, _, finding in telling if finding.template is not None}
        first = telling[0][2]
        template = first.template if first.template is not None else _most_common(unit)
        evidence = [self._evidence(surprise, channel, finding) for surprise, channel, finding in telling]
        lead = telling[evidence.index(ranked(evidence)[0])][2]
        source = self._source(unit, template, odd, lead, address)
        record = AnomalyRecord(
            id=self._id(unit),
            pipeline=self._pipeline,
            revision=self._model.revision,
            unit=UnitKind(self._model.unit.kind),
            start=_moment(unit.start),
            end=_moment(unit.end),
            detected=_moment(detected),
            source=source,
            origin=Origin(
                stream=unit.stream,
                first=min(unit.positions),
                last=max(unit.positions),
                listener=listener,
                received=_moment(unit.start) if listener else None,
            ),
            lines=_lines(unit, odd),
            line_count=len(unit.texts),
            template=Template(id=display_id(template), text=self._model.templates.text_of(template) or ""),
            score=scored.score,
            threshold=self._threshold,
            severity=_severity(scored.score, self._threshold, source.severity),
            category=first.kind.value,
            channels={name: to_score(surprise) for name, surprise in scored.surprises.items()},
            evidence=evidence,
        )
        return record.model_copy(update={"explanation": render(record)})

    def _id(self, unit: Unit) -> str:
        silent = "" if unit.silent_since is None else f"silent at {unit.silent_until}"
        # The first line too: another file may come to stand under the same name.
        key = (
            f"{self._pipeline}\0{self._model.revision}\0{unit.stream}\0{unit.host}\0"
            f"{unit.positions[0]}\0{unit.positions[-1]}\0{silent or unit.texts[0]}"
        )
        return blake2b(key.encode("utf-8", "surrogateescape"), digest_size=10).hexdigest()

    def _source(self, unit: Unit, template: int, odd: set[int], lead: Finding, address: str | None) -> LogSource:
        """Describe the sender; program and facility are those of ``lead``, which the explanation tells first."""
        told: list[tuple[int, ParsedLine]] = []
        for text, line_template in zip(unit.texts, unit.templates, strict=True):
            if unit.words is not None or line_template == template or line_template in odd:
                parsed = self._parser.parse(text, unit.end)
                if isinstance(parsed, ParsedLine):
                    told.append((line_template, parsed))
        severities = [line.severity for _, line in told if line.severity is not None]
        line = next((line for line_template, line in told if line_template == lead.template), None)
        missing = line is None and lead.kind is EvidenceKind.MISSING_EVENT
        if line is None and told:
            line = told[0][1]
        app = str(lead.facts.get("app", "")) if missing else line.app if line else ""
        return LogSource(
            host=_printable(unit.host),
            address=address,
            app=_printable(app) or None,
            facility=line.facility if line and not missing else None,
            severity=min(severities, default=None),
        )

    def _evidence(self, surprise: float, channel: str, finding: Finding) -> Evidence:
        facts = dict(finding.facts)
        if finding.kind is EvidenceKind.NEVER_SEEN_TEMPLATE:
            nearest = self._nearest(str(facts["template"]))
            # One that has little in common explains nothing. Training may know a text itself from faults only.
            if nearest is not None and nearest[1] >= _NEAR and nearest[0] != finding.template:
                facts["nearest"] = self._model.templates.known[nearest[0]]
        elif finding.kind is EvidenceKind.UNLIKELY_TEXT:
            facts["tokens"] = self._surprising_words(str(facts["template"]))
        facts = {name: _printable(fact) if isinstance(fact, str) else fact for name, fact in facts.items()}
        return Evidence(kind=finding.kind, channel=channel, score=to_score(surprise), facts=facts)

    def _find_surprising_words(self, text: str) -> str:
        losses = sorted(self._model.language.token_losses(text), key=lambda pair: -pair[1])
        return " ".join(word for word, _ in losses[:_SURPRISING_WORDS])


def _rank(item: tuple[float, str, Finding]) -> float:
    """Put the most surprising first, but a burst of all lines only where no single template tells more."""
    surprise, _, finding = item
    return -surprise / 2 if finding.kind is EvidenceKind.BURST and finding.template is None else -surprise


def _distinct(findings: list[tuple[float, str, Finding]]) -> Iterator[tuple[float, str, Finding]]:
    """Drop a finding that says the same of the same template again (a burst within the longer horizon)."""
    told: set[tuple[EvidenceKind, int | None]] = set()
    for item in findings:
        key = (item[2].kind, item[2].template)
        if key not in told:
            told.add(key)
            yield item


def _most_common(unit: Unit) -> int:
    return unit.counts.most_common(1)[0][0] if unit.templates else 0


def _lines(unit: Unit, odd: set[int]) -> list[LogLine]:
    """Return the unit's lines, the odd ones marked; when there are too many, the odd ones go first."""
    chosen = sorted(range(len(unit.texts)), key=lambda i: (unit.templates[i] not in odd, i))[:_MOST_LINES]
    return [
        LogLine(
            position=unit.positions[i],
            time=_moment(unit.times[i]),
            text=_printable(unit.texts[i][:_LONGEST_LINE]),
            template=display_id(unit.templates[i]),
            odd=unit.words is not None or unit.templates[i] in odd,
        )
        for i in sorted(chosen)
    ]


def _printable(text: str) -> str:
    """Show bytes that are not UTF-8 as ``\\xNN``: JSON and databases hold only text."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace").replace("\0", "\\x00")


def _severity(score: float, threshold: float, syslog: int | None) -> Severity:
    """Weigh how far the score passed the threshold and how urgent the device itself found it."""
    margin = (score - threshold) / max(1.0 - threshold, 1e-9)
    if margin >= 0.6 or (margin >= 0.3 and syslog is not None and syslog <= 3):
        return Severity.CRITICAL
    if margin >= 0.2 or (syslog is not None and syslog <= 4):
        return Severity.WARNING
    return Severity.INFO


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
