"""The manifest of a new revision: what it was made of and how it was judged."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from typing import Any

from logwarden.datasets import PARTS, Dataset, summary
from logwarden.detect import DetectionModel
from logwarden.evaluation.units import RecordingUnits, is_normal
from logwarden.language.formulation import FORMULATION_VERSION
from logwarden.mask import MASK_VERSION
from logwarden.training.base import base_revision
from logwarden.training.language.config import SCRATCH
from logwarden.training.plan import Plan
from logwarden.units import SESSION, WINDOW, UnitConfig

_LIBRARIES = ("torch", "transformers", "peft", "pyod", "onnx", "onnxruntime", "tokenizers", "sentencepiece", "drain3")
_LONGEST_SPLIT = 1000


def manifest_fields(
    plan: Plan,
    datasets: Sequence[Dataset],
    cuts: Mapping[str, Sequence[RecordingUnits]],
    model: DetectionModel,
    report: dict[str, Any],
    seconds: float,
) -> dict[str, Any]:
    """Return all fields of the manifest but id, digest and files.

    Parameters
    ----------
    cuts
        The units of each part, in the order of the data sets.
    report
        What was measured on the test part.
    seconds
        Wall time of the training without that of the language model, which is read from the reports of its runs.
    """
    parent = base_revision(plan.base) if plan.base != SCRATCH else None
    return {
        "name": plan.name,
        "created": datetime.now(UTC).isoformat(),
        "parent": parent.id if parent else None,
        "base": {"family": "T5", "model": plan.base},
        "unit": _unit(plan.unit),
        "data": list(_data(datasets, cuts)),
        "split": "; ".join(map(_split, datasets))[:_LONGEST_SPLIT],
        "seed": plan.tuning.seed,
        "training": _training(plan, seconds),
        "libraries": dict(_versions()),
        "metrics": report,
        "threshold": {
            "value": model.fitted["threshold"],
            "method": model.fitted["threshold_method"],
            "from": "validation" if plan.threshold.value is None else "threshold.value",
        },
        "mask_version": str(MASK_VERSION),
        "text_version": str(FORMULATION_VERSION),
    }


def _unit(unit: UnitConfig) -> dict[str, Any]:
    if unit.kind == SESSION:
        return {"kind": unit.kind, "session": {"key": unit.key, "idle_seconds": int(unit.idle_seconds)}}
    if unit.kind == WINDOW:
        return {"kind": unit.kind, "window": {"lines": unit.lines, "seconds": int(unit.seconds)}}
    return {"kind": unit.kind}


def _data(datasets: Sequence[Dataset], cuts: Mapping[str, Sequence[RecordingUnits]]) -> Iterable[dict[str, Any]]:
    units = {name: iter(cuts[name]) for name in PARTS}
    for dataset in datasets:
        splits = {name: _counts(islice(units[name], len(dataset.part(name)))) for name in PARTS}
        yield {"uri": dataset.uri, "format": dataset.format, "sha256": dataset.sha256(), "splits": splits}


def _counts(parts: Iterable[RecordingUnits]) -> dict[str, int]:
    units = [(recording, unit) for recording, units in parts for unit in units]
    return {
        "lines": sum(len(unit.texts) for _, unit in units),
        "units": len(units),
        "anomalies": sum(not is_normal(unit, recording) for recording, unit in units),
    }


def _split(dataset: Dataset) -> str:
    parts = ", ".join(f"{name}: {summary(dataset.part(name), 200)}" for name in PARTS)
    return f"chronological, {dataset.split}: {parts}"


def _training(plan: Plan, seconds: float) -> dict[str, Any]:
    reports = {} if plan.tuning.steps == 0 else _reports(plan)
    seconds += sum(report["seconds"] for report in reports.values())
    settings: dict[str, Any] = {"mode": plan.mode, "seconds": round(seconds, 1), "device": _device(plan)}
    if not reports:
        return settings | {"steps": 0}
    tuning = plan.tuning
    settings |= {
        "steps": reports["tuned"]["steps"],
        "pretraining_steps": reports["pretrained"]["steps"] if "pretrained" in reports else 0,
        "learning_rate": tuning.learning_rate,
        "batch_size": tuning.batch_size,
        "max_tokens": tuning.max_tokens,
        "lora": {"rank": tuning.lora.rank, "alpha": tuning.lora.alpha, "dropout": tuning.lora.dropout},
    }
    return settings


def _reports(plan: Plan) -> dict[str, dict[str, Any]]:
    """Return the reports of the finished runs of the language model: their steps and seconds, across all resumes."""
    folders = ["pretrained", "tuned"] if plan.base == SCRATCH else ["tuned"]
    return {name: json.loads((plan.work / name / "training.json").read_text(encoding="utf-8")) for name in folders}


def _device(plan: Plan) -> str:
    if plan.tuning.steps == 0:
        return "cpu"
    import torch

    from logwarden.training.language.models import device_of

    device = device_of(plan.tuning)
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _versions() -> Iterable[tuple[str, str]]:
    for name in _LIBRARIES:
        try:
            yield name, version(name)
        except PackageNotFoundError:  # not all are needed to fit channels
            continue
