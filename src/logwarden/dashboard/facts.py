"""Names that people read in place of the record's own: kinds of evidence, their facts, channels, origins."""

from __future__ import annotations

from collections.abc import Sequence

from logwarden.api.record import AnomalyRecord, Evidence, EvidenceKind, LogLine, Origin
from logwarden.store import ListenerStatus

KINDS: dict[EvidenceKind, str] = {
    EvidenceKind.NEVER_SEEN_TEMPLATE: "Message never seen before",
    EvidenceKind.NEVER_SEEN_COMBINATION: "Messages never seen together",
    EvidenceKind.NEVER_SEEN_ON_HOST: "Message new on this host",
    EvidenceKind.MISSING_EVENT: "Expected message is missing",
    EvidenceKind.BURST: "Burst",
    EvidenceKind.SILENCE: "Silence",
    EvidenceKind.CLOCK_OFFSET: "Clock is off",
    EvidenceKind.MODEL_VERDICT: "Language model: anomaly",
    EvidenceKind.UNLIKELY_TEXT: "Language model: unusual wording",
}

CHANNELS = {"text": "Language model", "novelty": "Novelty", "rate": "Rate"}

_FACTS = {
    "app": "Program",
    "count": "Times seen",
    "expected_every_seconds": "Expected every",
    "host": "Host",
    "loss": "Surprise",
    "missing_seconds": "Missing for",
    "moved_seconds": "Moved by",
    "nearest": "Nearest known message",
    "normal_combinations": "Known combinations",
    "normal_count": "Normal at most",
    "normal_gap_seconds": "Normal gap at most",
    "normal_loss": "Normal surprise",
    "normal_offset_seconds": "Normal offset",
    "offset_seconds": "Offset",
    "other_hosts": "Hosts that write it",
    "probability": "Probability of an anomaly",
    "seconds": "Within",
    "silent_seconds": "Silent for",
    "template": "Message",
    "templates": "Messages",
    "other_messages": "Other messages it read",
    "tokens": "Most surprising words",
}

_MARKDOWN = frozenset("\\`*_{}[]()#+-.!|<>~:$=")
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def literally(text: str) -> str:
    """Return text in which nothing is Markdown: a title may quote a log line."""
    return "".join(f"\\{character}" if character in _MARKDOWN else character for character in text)


def duration(seconds: float) -> str:
    """Return a length of time in its two largest units, such as ``9 min 30 s``."""
    sign = "-" if seconds < 0 else ""
    rest = abs(seconds)
    if rest < 10:
        return f"{sign}{rest:.3g} s"
    rest = round(rest)
    parts = []
    for size, unit in _UNITS:
        amount, rest = divmod(rest, size)
        if amount:
            parts.append(f"{amount} {unit}")
        elif parts:
            break
    return sign + " ".join(parts[:2])


def readable_facts(evidence: Evidence) -> list[tuple[str, str]]:
    """Return the facts of a piece of evidence as names and values for a person."""
    return [(_name(key), _value(key, value)) for key, value in evidence.facts.items()]


def _name(key: str) -> str:
    return _FACTS.get(key, key.replace("_", " ").capitalize())


def _value(key: str, value: str | float) -> str:
    if isinstance(value, str):
        return value
    if key == "seconds" or key.endswith("_seconds"):
        return duration(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}"


def split_explanation(text: str) -> tuple[str, str]:
    """Return what is odd, and what to check next ("" where the text does not say)."""
    finding, _, advice = text.partition("Check next:")
    advice = advice.strip()
    return finding.strip(), advice[:1].upper() + advice[1:]


def summary(record: AnomalyRecord) -> str:
    """Return in one sentence what is odd, without the host, which lists show beside it."""
    if record.explanation is None:
        return KINDS[record.evidence[0].kind] if record.evidence else f"Score {record.score:.2f}"
    text = record.explanation.text.removeprefix(f"{record.source.host}: ")
    text = split_explanation(text)[0] or text
    sentence = _first_sentence(text).rstrip(".")
    # A program's name keeps its spelling.
    starts_with_app = record.source.app is not None and sentence.startswith(record.source.app)
    return sentence if starts_with_app else sentence[:1].upper() + sentence[1:]


def _first_sentence(text: str) -> str:
    """Return the text up to a full stop that a new sentence follows; addresses and abbreviations hold stops too."""
    for place, character in enumerate(text[:-2]):
        if character in ".!?" and text[place + 1] == " " and text[place + 2].isupper():
            return text[: place + 1]
    return text


def stream_name(origin: Origin) -> str:
    """Return the file's path, or the topic and partition."""
    return origin.stream.removeprefix("file:")


def line_origin(origin: Origin, line: LogLine) -> str:
    """Return where a line is: ``/var/log/syslog:17``, or ``netlogs-raw/0 offset 17``."""
    separator = ":" if origin.stream.startswith("file:") else " offset "
    return f"{stream_name(origin)}{separator}{line.position}"


def ports(listeners: Sequence[ListenerStatus]) -> str:
    """Return where a pipeline listens, such as ``UDP/TCP 5514 and HTTP 8080``."""
    by_port: dict[int, list[str]] = {}
    for listener in listeners:
        by_port.setdefault(listener.port, []).append(listener.protocol.upper())
    words = [f"{'/'.join(protocols)} {port}" for port, protocols in by_port.items()]
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
