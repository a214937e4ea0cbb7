"""Which fields of a pipeline and its model one machine does not use: what is set there has no effect, and is told."""

from __future__ import annotations

from collections.abc import Iterator

from logwarden.api.anomaly_model import AnomalyModel
from logwarden.api.base import Spec
from logwarden.api.log_pipeline import LogPipeline
from logwarden.revisions import registry_at

# Everything that is not named here counts as unused, so that a new field cannot be passed over in silence.
_USED_OF_PIPELINE = ("collect.syslog.listeners", "collect.http", "detect", "privacy", "store.retention")
_USED_OF_MODEL = ("base.family", "base.model", "threshold.value", "promotion.revision", "explanation")


def unused_fields(
    pipeline: LogPipeline, model: AnomalyModel, *, kafka: bool = False, with_secrets: bool = False
) -> str:
    """Return a line that names the fields with another value than their default that have no effect here.

    It is empty where there is none. ``kafka`` tells that lines go through a Kafka. The database that the
    pipeline names is used ``with_secrets`` only, when their values are at hand.
    """
    used = (*_USED_OF_PIPELINE, *(["kafka"] * kafka), *(["store.databaseSecretRef"] * with_secrets))
    used_of_model = (*_USED_OF_MODEL, *(["storage.uri"] * (registry_at(model.spec.storage.uri) is not None)))
    found = {
        f"LogPipeline {pipeline.name}": list(_unused(pipeline.spec, used)),
        f"AnomalyModel {model.name}": list(_unused(model.spec, used_of_model)),
    }
    parts = [f"{owner} {', '.join(fields)}" for owner, fields in found.items() if fields]
    return f"not used on one machine: {'; '.join(parts)}" if parts else ""


def _unused(spec: Spec, used: tuple[str, ...], prefix: str = "") -> Iterator[str]:
    for name, info in type(spec).model_fields.items():
        path, value = f"{prefix}{info.alias}", getattr(spec, name)
        if path in used:
            continue
        if any(one.startswith(f"{path}.") for one in used):
            yield from _unused(value, used, f"{path}.")
        elif value != info.get_default(call_default_factory=True):
            yield f"spec.{path}"
