"""What a pipeline masks, and where."""

from __future__ import annotations

from pathlib import Path

from logwarden.api.log_pipeline import LogPipeline
from logwarden.errors import InvalidInputError
from logwarden.local.secrets import read_secret
from logwarden.privacy import SHORTEST_KEY, MaskingIntake, Privacy
from logwarden.sources.listening import Intake

_FIELD = "spec.privacy.keySecretRef"


def privacy_of(pipeline: LogPipeline, secrets: Path | None) -> Privacy | None:
    """Return what masks the lines of a pipeline; None where nothing is masked.

    Raises
    ------
    InvalidInputError
        If the key cannot be read or is too short.
    """
    spec = pipeline.spec.privacy
    if not spec.mask or spec.key_secret_ref is None:
        return None
    key = read_secret(secrets, spec.key_secret_ref.name, spec.key_secret_ref.key, _FIELD).encode()
    if len(key) < SHORTEST_KEY:
        raise InvalidInputError(
            f"{_FIELD}: the key has {len(key)} bytes, expected {SHORTEST_KEY} or more: 'openssl rand -hex 32' makes one"
        )
    return Privacy(spec.mask, key)


def at_collection(pipeline: LogPipeline, privacy: Privacy | None, intake: Intake) -> Intake:
    """Return where listeners in front of Kafka put lines: masked, if this is the place for it."""
    if privacy is None or pipeline.spec.privacy.at != "Collection":
        return intake
    return MaskingIntake(intake, privacy)


def at_detection(pipeline: LogPipeline, privacy: Privacy | None) -> Privacy | None:
    """Return what masks lines that come from Kafka; None where they are masked before.

    Raises
    ------
    InvalidInputError
        If they were to be masked before, and nobody does.
    """
    pipeline.check_masking()
    return privacy if pipeline.spec.privacy.at == "Detection" else None
