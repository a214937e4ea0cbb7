"""Durations, sizes and names of thresholds mean what they say."""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

import pytest

from logwarden.api.anomaly_model import ThresholdMethod
from logwarden.api.base import duration_seconds, size_bytes


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("15m", 900), ("12h", 43200), ("7d", 604800), ("2w", 1209600)]
)
def test_a_duration_in_seconds(text: str, seconds: int) -> None:
    assert duration_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "7", "7 d", "0d", "-1d", "1.5h", "7D", "1d\n"])
def test_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="allowed: a duration"):
        duration_seconds(text)


@pytest.mark.parametrize(
    ("text", "size"), [("10", 10), ("2Gi", 2 * 1024**3), ("512Mi", 512 * 1024**2), ("1.5k", 1500), ("2G", 2 * 10**9)]
)
def test_a_size_in_bytes(text: str, size: int) -> None:
    assert size_bytes(text) == size


@pytest.mark.parametrize("text", ["", "2 Gi", "-1", "2GB", "Gi", "1e3"])
def test_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="allowed: a size"):
        size_bytes(text)


def test_every_threshold_of_pyod_is_allowed() -> None:
    """The names are read from PyOD's source: importing it takes many seconds."""
    package = find_spec("pyod")
    if package is None or package.origin is None:
        pytest.skip("needs the extra train")
    source = (Path(package.origin).parent / "models" / "thresholds.py").read_text(encoding="utf-8")
    there = {node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
    assert there == set(get_args(ThresholdMethod)) - {"auto", "F1", "Quantile"}
