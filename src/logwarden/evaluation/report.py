"""Evaluate a model as a whole and in its parts, beside trivial baselines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from logwarden.api.record import AnomalyRecord
from logwarden.datasets import Recording
from logwarden.detect import DetectionModel, Detector
from logwarden.evaluation.alarms import Alarm, IncidentMetrics, measure
from logwarden.evaluation.baselines import evaluate_baselines
from logwarden.evaluation.units import RecordingUnits, cut, is_normal


def evaluate(
    model: DetectionModel,
    train: Sequence[Recording],
    validation: Sequence[Recording],
    test: Sequence[Recording],
) -> dict[str, Any]:
    """Measure a model on the test recordings.

    Returns
    -------
    dict
        ``incident`` and ``unit`` metrics of the model; ``channels``: each channel alone, with its own threshold from
        the validation part; ``ablations``: the ensemble without the language model; ``baselines``: trivial detectors
        fitted on ``train``, their thresholds set on ``validation``; ``split``: what was measured on what.
    """
    report: dict[str, Any] = {
        "revision": model.revision,
        "split": {
            "train": [recording.name for recording in train],
            "validation": [recording.name for recording in validation],
            "test": [recording.name for recording in test],
            "held_out_kinds": sorted({fault.kind for part in test for fault in part.faults if fault.held_out}),
        },
        "incident": run(model, test).to_json(),
    }
    units = cut(model, test)
    report["unit"] = unit_metrics(model, units)
    variants = {
        name: {"threshold": chosen["threshold"], "incident": run(variant(model, chosen), test).to_json()}
        for name, chosen in model.fitted["variants"].items()
    }
    report["ablations"] = {"without text": variants.pop("without text")}
    report["channels"] = variants
    report["baselines"] = evaluate_baselines(model, cut(model, train), cut(model, validation), units)
    return report


def run(model: DetectionModel, recordings: Sequence[Recording]) -> IncidentMetrics:
    """Detect on each recording from a fresh start and match what is reported with its faults."""
    return measure(recordings, {recording.name: _alarms(model, recording) for recording in recordings})


def variant(model: DetectionModel, chosen: dict[str, Any]) -> DetectionModel:
    """Return the model with another combination of its channels."""
    return replace(model, fitted=model.fitted | chosen)


def unit_metrics(model: DetectionModel, parts: Sequence[RecordingUnits]) -> dict[str, float]:
    """Precision, recall and F1 per unit, where every unit of an affected host during a fault counts as anomalous.

    Most of these units hold nothing but everyday lines, so recall is low by construction: incidents are what counts.
    """
    flagged, anomalous = [], []
    for recording, units in parts:
        ensemble = model.ensemble()
        ensemble.prepare(units)
        for unit in units:
            scored = ensemble.score(unit)
            flagged.append(scored.score >= ensemble.threshold)
            anomalous.append(not is_normal(unit, recording))
            if not flagged[-1]:
                ensemble.learn(unit)
    said, true = np.array(flagged), np.array(anomalous)
    hits = float((said & true).sum())
    precision, recall = hits / max(1, said.sum()), hits / max(1, true.sum())
    return {
        "units": len(flagged),
        "precision": round(precision, 4),
        "recall": round(recall, 4),
        "f1": round(2 * precision * recall / (precision + recall), 4) if hits else 0.0,
    }


def _alarms(model: DetectionModel, recording: Recording) -> list[Alarm]:
    detector = Detector(model, "evaluation")
    records: list[AnomalyRecord] = []
    for batch in recording.batches():
        records += detector.process(batch).records
    records += detector.advance(recording.ended).records
    records += detector.finish().records
    return [_alarm(record, model) for record in records]


def _alarm(record: AnomalyRecord, model: DetectionModel) -> Alarm:
    start, end = record.start.timestamp(), record.end.timestamp()
    decided = end
    if 0 < record.line_count < model.unit.lines:
        decided = end - end % model.unit.seconds + model.unit.seconds  # it closed when its slot ended
    return Alarm(record.source.host, start, end, decided)
