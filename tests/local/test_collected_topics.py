"""Which topics a training reads: those of all pipelines that use the model."""

from __future__ import annotations

from pathlib import Path

import pytest

from logwarden.api.anomaly_model import AnomalyModel
from logwarden.api.load import load_resources
from logwarden.datasets import RawTopic
from logwarden.errors import InvalidInputError
from logwarden.local.collected import raw_topics

MODELS = """
apiVersion: logwarden.dev/v1alpha1
kind: AnomalyModel
metadata: {name: campus}
---
apiVersion: logwarden.dev/v1alpha1
kind: AnomalyModel
metadata: {name: other}
"""
MASKED = "privacy: {mask: [ip], at: Detection, keySecretRef: {name: pseudonyms, key: key}}"


def pipeline(name: str, servers: str, *, model: str = "campus", more: str = "") -> str:
    return f"""---
apiVersion: logwarden.dev/v1alpha1
kind: LogPipeline
metadata: {{name: {name}}}
spec:
  kafka: {{bootstrapServers: "{servers}"}}
  detect: {{modelRef: {{name: {model}}}}}
  {more}
"""


def topics(*pipelines: str, secrets: Path | None = None, servers: str | None = None) -> list[RawTopic]:
    resources = load_resources(MODELS + "".join(pipelines))
    model = next(one for one in resources if isinstance(one, AnomalyModel))
    return raw_topics(resources, model, secrets, servers)


def test_all_pipelines_of_the_model_count_and_no_others() -> None:
    found = topics(pipeline("a", "a:9092"), pipeline("b", "b:9092"), pipeline("c", "c:9092", model="other"))
    assert [topic.place for topic in found] == ["a:9092/netlogs-raw", "b:9092/netlogs-raw"]


def test_a_topic_that_two_pipelines_share_is_read_once_and_masked_if_one_of_them_masks(tmp_path: Path) -> None:
    (tmp_path / "pseudonyms").mkdir()
    (tmp_path / "pseudonyms" / "key").write_text("0123456789abcdef0123456789abcdef")
    (shared,) = topics(pipeline("a", "a:9092", more=MASKED), pipeline("b", "a:9092"), secrets=tmp_path)
    assert shared.privacy is not None


def test_the_address_of_the_command_line_goes_before_that_of_the_file() -> None:
    (topic,) = topics(pipeline("a", "a:9092"), servers="here:9092")
    assert topic.place == "here:9092/netlogs-raw"


def test_a_model_that_no_pipeline_uses_has_no_topic() -> None:
    with pytest.raises(InvalidInputError, match=r"no LogPipeline beside the model has campus in spec.detect.modelRef"):
        topics(pipeline("c", "c:9092", model="other"))


def test_a_key_that_masks_has_to_be_there() -> None:
    with pytest.raises(InvalidInputError, match=r"spec.privacy.keySecretRef names the Secret pseudonyms"):
        topics(pipeline("a", "a:9092", more=MASKED))
