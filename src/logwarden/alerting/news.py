"""What a webhook is told: cases, alerts that begin or end, and failed processing; a pure function of what was noted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from logwarden.alerting.rules import RANKS, Alert, moment, resolved
from logwarden.api.log_pipeline import WebhookSpec
from logwarden.api.record import Case, Severity
from logwarden.outcome import RejectedLine
from logwarden.privacy import Privacy

AGAIN_SECONDS: Final = 300.0
"""A case that grows, and a failure that goes on, are told again after so long; a case that gets worse at once."""
_FORGET_SECONDS: Final = 3600.0
_MOST_FAILURES: Final = 100
_SAMPLE: Final = 500
_NUMBER: Final = re.compile(r"\d+")


class Message(NamedTuple):
    """A message for a webhook. One with the same key that was not delivered yet is replaced by it."""

    key: str
    body: dict[str, Any]


@dataclass
class _Told:
    case: Case
    since: float
    at: float = 0.0
    severity: Severity | None = None
    anomalies: int = 0

    def is_due(self, now: float) -> bool:
        if self.severity is None or RANKS[self.case.severity] > RANKS[self.severity]:
            return True
        return self.case.anomalies > self.anomalies and now - self.at >= AGAIN_SECONDS


@dataclass
class _Failure:
    sample: RejectedLine
    lines: int = 0
    told: int = 0
    at: float = 0.0

    def is_due(self, now: float) -> bool:
        return self.lines > self.told and (not self.told or now - self.at >= AGAIN_SECONDS)


@dataclass
class News:
    """Decides what one webhook is told, and when.

    Parameters
    ----------
    pipeline, spec
        Name of the pipeline, and what the webhook wants to hear of it.
    minimum
        Least severity of cases.
    privacy
        Masks the samples of what could not be processed.
    """

    pipeline: str
    spec: WebhookSpec
    minimum: Severity
    privacy: Privacy
    _cases: dict[str, _Told] = field(default_factory=dict)
    _failures: dict[tuple[str, str], _Failure] = field(default_factory=dict)
    _firing: Sequence[Alert] = ()

    def note_cases(self, cases: Iterable[Case], now: float) -> None:
        """Take cases that began or grew."""
        for case in cases:
            if "Anomalies" in self.spec.send and RANKS[case.severity] >= RANKS[self.minimum]:
                self._cases.setdefault(case.id, _Told(case, now)).case = case

    def note_rejected(self, lines: Iterable[RejectedLine]) -> None:
        """Take lines that could not be processed; those with one :func:`failure_key` are one failure."""
        if "FailedProcessing" not in self.spec.send:
            return
        for line in lines:
            key = failure_key(line)
            if key not in self._failures and len(self._failures) >= _MOST_FAILURES:
                key = line.stage, "other reasons"
            self._failures.setdefault(key, _Failure(line)).lines += 1

    def messages(self, firing: Sequence[Alert], now: float) -> list[Message]:
        """Return what is to be told at ``now`` (Unix seconds), when these alerts about the pipeline fire."""
        return [*self._of_cases(now), *self._of_alerts(firing, now), *self._of_failures(now)]

    def _of_cases(self, now: float) -> Iterator[Message]:
        for key, told in list(self._cases.items()):
            if told.is_due(now):
                told.at, told.severity, told.anomalies = now, told.case.severity, told.case.anomalies
                yield self._message("case", key, now, told.case.model_dump(mode="json"))
            elif now - told.at > _FORGET_SECONDS:
                del self._cases[key]

    def _of_alerts(self, firing: Sequence[Alert], now: float) -> Iterator[Message]:
        if "Pipeline" not in self.spec.send:
            return
        before, self._firing = self._firing, firing
        for status, alerts in (("firing", resolved(firing, before)), ("resolved", resolved(before, firing))):
            for alert in alerts:
                name = dict(alert.labels)["alertname"]
                content = {"name": name, "status": status, "since": moment(alert.since), "summary": alert.summary}
                yield self._message("alert", name, now, content)

    def _of_failures(self, now: float) -> Iterator[Message]:
        for (stage, reason), failure in list(self._failures.items()):
            if failure.is_due(now):
                content = failure_content(failure.sample, self.privacy) | {"lines": failure.lines - failure.told}
                failure.told, failure.at = failure.lines, now
                yield self._message("failure", f"{stage} {reason}", now, content)
            elif now - failure.at > _FORGET_SECONDS:
                del self._failures[stage, reason]

    def _message(self, kind: str, key: str, now: float, content: dict[str, Any]) -> Message:
        body = {"version": 1, "pipeline": self.pipeline, "kind": kind, "sent": moment(now), kind: content}
        return Message(f"{kind} {key}", body)


def failure_key(line: RejectedLine) -> tuple[str, str]:
    """Return stage and reason without its numbers: with sizes and offsets, every line would fail in its own way."""
    return line.stage, _NUMBER.sub("N", line.reason)


def failure_content(line: RejectedLine, privacy: Privacy) -> dict[str, Any]:
    """Return where and why a line could not be processed, with a masked piece of it."""
    return {
        "stage": line.stage,
        "reason": privacy.text(line.reason),
        "stream": line.stream,
        "position": line.position,
        "sample": privacy.text(line.text[: 2 * _SAMPLE])[:_SAMPLE].encode("utf-8", "backslashreplace").decode(),
    }
