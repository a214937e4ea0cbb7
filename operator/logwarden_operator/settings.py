"""What an installation decides once for all resources. Parsed at the edge, from the chart's values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from logwarden.errors import InvalidInputError


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class Images(_Part):
    """Container images by component."""

    trainer: str = "logwarden/trainer:dev"
    detector: str = "logwarden/detector:dev"
    ingest: str = "logwarden/ingest:dev"
    collector: str = "logwarden/collector:dev"
    pull_policy: str = "IfNotPresent"
    pull_secrets: list[str] = Field(default_factory=list)


class ModelClaim(_Part):
    """The volume claim that is made for a model's revisions."""

    size: str = "10Gi"
    storage_class: str | None = None
    access_modes: list[str] = Field(default_factory=lambda: ["ReadWriteOnce"])


class Monitoring(_Part):
    """Objects of the Prometheus operator."""

    enabled: bool = True
    labels: dict[str, str] = Field(default_factory=dict)


class Settings(_Part):
    """Settings of the operator.

    ``watch_namespaces`` is empty where all namespaces are watched; ``kafka_namespaces`` are those outside of them that
    may hold KafkaTopics.
    """

    namespace: str = "logwarden"
    watch_namespaces: list[str] = Field(default_factory=list)
    kafka_namespaces: list[str] = Field(default_factory=list)
    images: Images = Images()
    syslog_ng_version: str = "3.38"
    model_claim: ModelClaim = ModelClaim()
    monitoring: Monitoring = Monitoring()
    autoscaling: bool = True
    network_policies: bool = True
    node_selector: dict[str, str] = Field(default_factory=dict)
    tolerations: list[dict[str, Any]] = Field(default_factory=list)

    def may_hold_topics(self, namespace: str) -> bool:
        """Whether the operator has rights over KafkaTopics in a namespace."""
        return not self.watch_namespaces or namespace in (*self.watch_namespaces, *self.kafka_namespaces)

    @property
    def home(self) -> str:
        """Namespace of the operator's own heartbeat: its own, where that one is watched."""
        watched = self.watch_namespaces
        return self.namespace if not watched or self.namespace in watched else watched[0]


def load_settings(path: Path) -> Settings:
    """Read the settings from a YAML file.

    Raises
    ------
    InvalidInputError
        If the file cannot be read, or a value is wrong; the message names the field.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        return Settings.model_validate(values)
    except OSError as error:
        raise InvalidInputError(f"{path}: cannot be read: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise InvalidInputError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise InvalidInputError(f"{path}: {field}: {first['msg']}") from None
