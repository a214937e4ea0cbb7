"""Who is told of what a detector finds, counts and cannot process: as a pipeline's ``spec.alerts`` says."""

from __future__ import annotations

import secrets as random
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from pydantic import SecretStr

from logwarden.alerting.alertmanager import AlertSender
from logwarden.alerting.failures import FailureLog
from logwarden.alerting.news import News
from logwarden.alerting.rules import Counts, Rules
from logwarden.alerting.webhook import Webhook, WebhookSender
from logwarden.api.log_pipeline import LogPipeline, WebhookSpec
from logwarden.api.record import Severity
from logwarden.errors import InvalidInputError
from logwarden.local.secrets import read_secret
from logwarden.outcome import Outcome
from logwarden.privacy import Privacy
from logwarden.streaming.partitions import PartitionedDetection

Tell = Callable[[Outcome], None]
"""Takes results that were stored."""


def sample_privacy(privacy: Privacy | None) -> Privacy:
    """Return what masks samples of lines that could not be processed: as the pipeline says, or everything."""
    return privacy or Privacy(["ip", "user", "mac", "email", "secret"], random.token_bytes(32))


def open_alerts(
    pipeline: LogPipeline,
    secrets: Path | None,
    privacy: Privacy | None,
    detection: PartitionedDetection,
    stack: ExitStack,
) -> list[Tell]:
    """Start what tells people, and return what it is to be given; everything stops with ``stack``.

    Raises
    ------
    InvalidInputError
        If the address of a webhook cannot be read.
    """
    spec, masking = pipeline.spec.alerts, sample_privacy(privacy)
    failures = FailureLog(masking)
    told: list[Tell] = [lambda outcome: failures.note(outcome.rejected)]

    def counts() -> Counts:
        return counts_of(detection, spec.latency_seconds)

    if spec.alertmanager_url is not None:
        sender = AlertSender(spec.alertmanager_url, Rules(pipeline.name, spec), counts)
        stack.callback(sender.stop)
        told.append(lambda outcome: sender.note(outcome.cases))
    webhooks = [_webhook(pipeline, index, one, secrets, masking) for index, one in enumerate(spec.webhooks)]
    if webhooks:
        teller = WebhookSender(webhooks, Rules(pipeline.name, spec), counts)
        stack.callback(teller.stop)
        told.append(teller.note)
    return told


def _webhook(pipeline: LogPipeline, index: int, spec: WebhookSpec, secrets: Path | None, privacy: Privacy) -> Webhook:
    field = f"spec.alerts.webhooks[{index}].urlSecretRef"
    url = read_secret(secrets, spec.url_secret_ref.name, spec.url_secret_ref.key, field)
    if not url.startswith(("http://", "https://")):
        raise InvalidInputError(
            f"{field}: what the Secret {spec.url_secret_ref.name} holds is no http or https address"
        )
    minimum = Severity(spec.minimum_severity or pipeline.spec.alerts.minimum_severity)
    return Webhook(spec.name, SecretStr(url), News(pipeline.name, spec, minimum, privacy))


def counts_of(detection: PartitionedDetection, latency_seconds: float) -> Counts:
    """Return what a detector has counted since it started."""
    by_stage: Counter[str] = Counter()
    for (stage, _), lines in list(detection.counts.items()):
        by_stage[stage] += lines
    slow = detection.latency.slower_than(latency_seconds)
    return Counts(by_stage["stored"], by_stage["rejected"], by_stage["lost"], slow, detection.problem)
