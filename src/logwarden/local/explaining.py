"""Explaining the anomalies of a running pipeline beside its detection."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr

from logwarden.api.anomaly_model import AnomalyModel
from logwarden.api.log_pipeline import LogPipeline
from logwarden.api.record import Explanation
from logwarden.detect import DetectionModel
from logwarden.explain import ExplanationWorker, make_explainer
from logwarden.local.secrets import read_secret
from logwarden.store import Store


def open_explainer(
    pipeline: LogPipeline, resource: AnomalyModel, model: DetectionModel, secrets: Path | None, store: Store
) -> ExplanationWorker | None:
    """Return a worker that explains what is submitted and stores the text; None where the pipeline wants none."""
    if not pipeline.spec.detect.explain:
        return None
    spec = resource.spec.explanation
    key = spec.openai.api_key_secret_ref if spec.openai is not None else None
    api_key = None
    if key is not None:
        text = read_secret(secrets, key.name, key.key, "spec.explanation.openAI.apiKeySecretRef")
        api_key = SecretStr(text)
    explainer = make_explainer(spec, model=model.language, api_key=api_key)

    def save(anomaly: str, explanation: Explanation) -> None:
        store.set_explanation(anomaly, explanation)

    return ExplanationWorker(explainer, save)
