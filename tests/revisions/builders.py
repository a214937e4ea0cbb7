"""Revisions for tests, made by the code under test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from logwarden.revisions import Revision, write_revision

FIELDS: dict[str, Any] = {
    "name": "campus",
    "created": "2026-11-22T10:00:00Z",
    "base": {"family": "T5", "model": "builtin"},
    "unit": {"kind": "window", "window": {"lines": 64, "seconds": 30}},
    "data": [
        {
            "uri": "lab",
            "format": "lab",
            "sha256": "ab" * 32,
            "splits": {"train": {"lines": 1000, "units": 40}, "test": {"lines": 500, "units": 20, "anomalies": 3}},
        }
    ],
    "split": "chronological: 60 % training, 20 % validation, 20 % test",
    "seed": 7,
    "libraries": {"torch": "2.9.0"},
    "metrics": {"incident": {"f1": 0.93}, "baselines": [{"name": "new template", "incident": {"f1": 0.61}}]},
    "threshold": {"value": 0.87, "method": "F1", "from": "validation"},
    "mask_version": "1",
    "text_version": "1",
}


def make_revision(root: Path, weights: str = "weights", **changes: Any) -> Revision:
    """Write a small revision with files in two folders; ``changes`` replace fields of its manifest."""
    files = root.parent / f"files-{root.name}"
    (files / "tokenizer").mkdir(parents=True, exist_ok=True)
    (files / "model.onnx").write_text(weights)
    (files / "tokenizer" / "tokenizer.json").write_text("{}")
    return write_revision(root, files, {**FIELDS, **changes})
