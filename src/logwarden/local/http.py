"""The HTTP endpoint that a pipeline describes."""

from __future__ import annotations

from pathlib import Path

from logwarden.api.log_pipeline import LogPipeline
from logwarden.ingest.limits import Limits
from logwarden.ingest.tokens import Tokens
from logwarden.local.secrets import secret_file

_FIELD = "spec.collect.http.tokenSecretRef"


def http_tokens(pipeline: LogPipeline, secrets: Path | None) -> Tokens | None:
    """Return the bearer tokens of the endpoint, or None where anyone may send.

    Raises
    ------
    InvalidInputError
        If the Secret cannot be read or holds no token.
    """
    ref = pipeline.spec.collect.http.token_secret_ref
    return None if ref is None else Tokens(secret_file(secrets, ref.name, ref.key, _FIELD))


def http_limits(pipeline: LogPipeline) -> Limits:
    """Return the bounds of the endpoint."""
    return Limits(lines_per_second=pipeline.spec.collect.http.lines_per_second)
