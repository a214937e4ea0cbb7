"""The plain rendering: evidence as sentences, without a model. It is instant and states nothing but the evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import islice

from logwarden.api.record import AnomalyRecord, Evidence, EvidenceKind, Explanation
from logwarden.explain import knowledge, phrases, values

MAX_FINDINGS = 3
"""Pieces of evidence that are told; the record lists the others."""

_TITLE_LENGTH = 110
_TITLE_HOSTS = 3
_SAME_TEXT = "this message"
_UNNAMED = "On an unknown host"


Word = Callable[[EvidenceKind, phrases.Roles], str | None]
"""Puts one finding into a clause; None when that fails."""


def render(record: AnomalyRecord) -> Explanation:
    """Explain a record in 2 to 4 sentences: what is odd, compared with what, and what to check next."""
    text = compose(record, lambda kind, roles: phrases.usable(kind, roles)[0].format_map(roles))
    assert text is not None
    return Explanation(text=text, backend="plain", faithful=True)


def compose(record: AnomalyRecord, word: Word) -> str | None:
    """Make an explanation of clauses: the oddest findings, the oddest first, and what to check next.

    Returns None as soon as ``word`` does.
    """
    findings: list[str] = []
    for finding in islice(_findings(record, word), MAX_FINDINGS):
        if finding is None:
            return None
        findings.append(finding)
    host = values.name(record.source.host)
    if host is None:
        findings = findings[: MAX_FINDINGS - 1]
    if host is None or not findings:
        findings.append(_score_alone(record))
    first, *others = findings
    return " ".join([f"{host or _UNNAMED}: {first}.", *(f"Also, {finding}." for finding in others), hint(record)])


def hint(record: AnomalyRecord) -> str:
    """Return the sentence that says what to check next."""
    return f"Check next: {knowledge.lead_of(record).step}."


def _findings(record: AnomalyRecord, word: Word) -> Iterator[str | None]:
    """Word each piece of evidence once; a text that was quoted before is not quoted again."""
    quoted: set[str] = set()
    told: set[str] = set()
    for evidence in phrases.ranked(record.evidence):
        roles = phrases.roles(evidence)
        text = roles.get("text", "")
        if text and text in quoted:
            roles["text"] = _SAME_TEXT
        quoted.add(text)
        clause = word(evidence.kind, roles)
        finding = clause and clause + _elsewhere(evidence, record)
        if finding not in told:
            yield finding
            told.add(finding or "")


def _elsewhere(evidence: Evidence, record: AnomalyRecord) -> str:
    """Name the evidence's host where it is not the record's."""
    host = values.name(evidence.facts.get("host"))
    return f" (on {host})" if host and host != values.name(record.source.host) else ""


def _score_alone(record: AnomalyRecord) -> str:
    about = values.quote(record.template.text)
    lines = (values.counted(record.line_count, "line") or "lines") + (f" around {about}" if about else "")
    score, threshold = values.number(record.score), values.number(record.threshold)
    if score is None or threshold is None:
        return f"{lines} were found anomalous"
    return f"{lines} were given a score of {score} against a threshold of {threshold}"


_TITLES = {
    EvidenceKind.BURST: "burst of {what}",
    EvidenceKind.SILENCE: "silent",
    EvidenceKind.MISSING_EVENT: "missing {what}",
    EvidenceKind.CLOCK_OFFSET: "clock off",
    EvidenceKind.NEVER_SEEN_TEMPLATE: "never-seen {what}",
    EvidenceKind.NEVER_SEEN_ON_HOST: "{what} new on this host",
    EvidenceKind.NEVER_SEEN_COMBINATION: "messages never seen together",
    EvidenceKind.MODEL_VERDICT: "anomalous {what}",
    EvidenceKind.UNLIKELY_TEXT: "unusual {what}",
}


def case_title(records: Sequence[AnomalyRecord]) -> str:
    """Return one line that names a case, at most 110 characters, such as ``srv1: SSH logins: burst of "Failed ..."``.

    The highest score of the records leads; hosts are named in the order of their first record. ``records`` must not be
    empty.
    """
    lead = max(records, key=lambda record: record.score)
    about = knowledge.lead_of(lead).topic.about
    return values.shorten(": ".join(filter(None, [_hosts(records), about, _what_happened(lead)])), _TITLE_LENGTH)


def _hosts(records: Sequence[AnomalyRecord]) -> str:
    start: dict[str, datetime] = {}
    for record in records:
        host = values.name(record.source.host) or "unnamed host"
        start[host] = min(record.start, start.get(host, record.start))
    hosts = sorted(start, key=lambda host: (start[host], host))
    named = ", ".join(hosts[:_TITLE_HOSTS])
    return f"{named} and {len(hosts) - _TITLE_HOSTS} more" if len(hosts) > _TITLE_HOSTS else named


def _what_happened(record: AnomalyRecord) -> str:
    ranked = phrases.ranked(record.evidence)
    if not ranked:
        return f"score {values.number(record.score)}"
    lead = ranked[0]
    if lead.facts.get("template") == phrases.ALL_LINES:
        return "burst of lines"
    roles = phrases.roles(lead)
    text = roles.get("text", "").strip('"')
    what = f'"{values.shorten(text, 60)}"' if text else "message"
    app = roles.get("app")
    return _TITLES[lead.kind].format(what=what) + (f" from {app}" if app and "{what}" in _TITLES[lead.kind] else "")
