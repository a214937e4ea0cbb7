"""The anomaly record and the case: what detection produces, what the store keeps, what a script reads."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Score = Annotated[float, Field(ge=0.0, le=1.0)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class UnitKind(StrEnum):
    """What was scored."""

    LINE = "line"
    WINDOW = "window"
    SESSION = "session"
    FLOW = "flow"


class Severity(StrEnum):
    """How urgent an anomaly is, from its score, its channels and the device's own syslog severity."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Verdict(StrEnum):
    """An analyst's answer to an anomaly."""

    TRUE_ANOMALY = "true_anomaly"
    FALSE_ALARM = "false_alarm"


class LogSource(_Model):
    """The device and program that wrote the lines."""

    host: str = Field(description="Host name as the line states it, or the sender's address.")
    address: str | None = Field(None, description="Network address the lines came from.")
    app: str | None = Field(None, description="Program that wrote the most telling line.")
    facility: int | None = Field(None, ge=0, le=127, description="Syslog facility number (RFC 5424).")
    severity: int | None = Field(None, ge=0, le=7, description="Worst syslog severity number among the lines.")


class Origin(_Model):
    """Where the raw lines are kept."""

    stream: str = Field(description="`file:PATH`, or `TOPIC/PARTITION`.")
    first: int = Field(ge=0, description="First position: 1-based line number of a file, or offset of a topic.")
    last: int = Field(ge=0, description="Last position, same unit as `first`.")
    listener: str | None = Field(None, description="Listener that received the lines, such as `syslog-udp`.")
    received: datetime | None = Field(None, description="When the first line was received.")


class LogLine(_Model):
    """One raw line of an anomaly."""

    position: int = Field(ge=0, description="Line number or offset in the origin's stream.")
    time: datetime | None = Field(None, description="Time by which the line was placed in its unit.")
    text: str = Field(description="The line as received.")
    template: str = Field("", description="Id of its template.")
    odd: bool = Field(False, description="True for the lines that raised the score.")


class Template(_Model):
    """The masked form that lines of one kind share."""

    id: str = Field(description="Stable id: a hash of the text.")
    text: str = Field(description="Masked text, such as `sshd: Failed password for USER from IP port NUM ssh2`.")


class EvidenceKind(StrEnum):
    """A computed fact that makes a unit odd. docs/evidence.md lists the facts each kind carries."""

    NEVER_SEEN_TEMPLATE = "never_seen_template"
    NEVER_SEEN_COMBINATION = "never_seen_combination"
    NEVER_SEEN_ON_HOST = "never_seen_on_host"
    MISSING_EVENT = "missing_event"
    BURST = "burst"
    SILENCE = "silence"
    CLOCK_OFFSET = "clock_offset"
    MODEL_VERDICT = "model_verdict"
    UNLIKELY_TEXT = "unlikely_text"


class Evidence(_Model):
    """One computed fact. Explanations may state only what occurs here.

    ``facts`` holds the numbers and names of the fact by kind:

    - never_seen_template: template, app, count, host, nearest (text of a normal template that is near)
    - never_seen_combination: templates (short texts joined by `` + ``), host, normal_combinations
    - never_seen_on_host: template, app, host, other_hosts
    - missing_event: template, app, host, expected_every_seconds, missing_seconds
    - burst: template (or ``all lines``), host, count, seconds, normal_count (95th percentile in the same time)
    - silence: host, silent_seconds, normal_gap_seconds
    - clock_offset: host, offset_seconds, normal_offset_seconds, moved_seconds (by how much they differ)
    - model_verdict: template, other_messages, probability
    - unlikely_text: template, loss, normal_loss, tokens (the most surprising words joined by spaces)
    """

    kind: EvidenceKind
    channel: str = Field(description="Channel that found it: text, novelty or rate.")
    score: Score = Field(description="How odd, calibrated: 0 is normal, 1 as odd as it gets.")
    facts: dict[str, str | int | float] = Field(default_factory=dict)


class Explanation(_Model):
    """Text for a person."""

    text: str = Field(description="What is odd, compared with what, and what to look at next.")
    backend: str = Field(description="`plain`, `builtin` (the packaged T5) or `openai`.")
    faithful: bool = Field(description="True when every number, address and name in the text occurs in the evidence.")


class AnomalyRecord(_Model):
    """One anomaly: a unit of logs whose combined score passed the threshold."""

    id: str = Field(description="Deterministic: the same lines under the same revision give the same id.")
    pipeline: str = Field(description="Name of the LogPipeline.")
    revision: str = Field(description="Content hash of the model revision that scored it.")
    unit: UnitKind
    start: datetime = Field(description="Time of the first line.")
    end: datetime = Field(description="Time of the last line, or the end of a silence.")
    detected: datetime = Field(description="When the detector decided.")
    source: LogSource
    origin: Origin
    lines: list[LogLine] = Field(description="The raw lines, at most 64.")
    line_count: int = Field(ge=0, description="Number of lines in the unit, also those not kept in `lines`.")
    template: Template = Field(description="Template of the most telling line.")
    score: Score = Field(description="Combined score; higher is more anomalous.")
    threshold: Score = Field(description="Score from which a unit is an anomaly.")
    severity: Severity
    category: str = Field(description="Short class of the most telling evidence, such as `never_seen_template`.")
    channels: dict[str, Score] = Field(description="Score of every channel.")
    evidence: list[Evidence]
    explanation: Explanation | None = None
    case_id: str | None = Field(None, description="Case this anomaly belongs to.")
    feedback: Verdict | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return self.model_dump(mode="json")


class Case(_Model):
    """Anomalies that belong together: same hosts, overlapping time, related templates."""

    id: str
    pipeline: str
    start: datetime
    end: datetime
    hosts: list[str]
    title: str = Field(description="One line for a list, such as `r1, r2: never-seen template in bgpd`.")
    severity: Severity
    anomalies: int = Field(ge=1, description="Number of anomalies in the case.")
    suppressed: int = Field(0, ge=0, description="Repeats that were counted in the case and not recorded singly.")
    score: Score = Field(description="Highest score among the anomalies.")
