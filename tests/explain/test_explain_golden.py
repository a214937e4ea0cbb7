"""The plain rendering of every kind of evidence reads as golden.yaml says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from logwarden.api.record import AnomalyRecord, EvidenceKind
from logwarden.explain import case_title, faithful, render
from tests.explain.records import evidence, record

GOLDEN: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "golden.yaml").read_text(encoding="utf-8"))


def _record(example: dict[str, Any]) -> AnomalyRecord:
    pieces = [evidence(piece["kind"], piece["score"], **piece["facts"]) for piece in example["evidence"]]
    return record(*pieces, host=example["host"], app=example["app"], template=example["template"])


@pytest.mark.parametrize("example", GOLDEN, ids=[example["name"] for example in GOLDEN])
def test_text_and_title_are_the_golden_ones(example: dict[str, Any]) -> None:
    anomaly = _record(example)
    assert render(anomaly).text == example["text"]
    assert case_title([anomaly]) == example["title"]


@pytest.mark.parametrize("example", GOLDEN, ids=[example["name"] for example in GOLDEN])
def test_golden_text_is_faithful(example: dict[str, Any]) -> None:
    assert faithful(example["text"], _record(example)) == []


def test_every_kind_of_evidence_has_a_golden_example() -> None:
    leading = {example["evidence"][0]["kind"] for example in GOLDEN if example["evidence"]}
    assert leading == {kind.value for kind in EvidenceKind}
