"""Evaluate a model as a whole and in its parts, beside trivial baselines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from logwarden.api.record import AnomalyRecord
from logwarden.datasets import Recording
from logwarden.detect import DetectionModel, Detector
from logwarden.evaluation.alarms import Alarm, IncidentMetrics, measure
from logwarden.evaluation.baselines import evaluate_baselines
from logwarden.evaluation.units import RecordingUnits, is_normal
from logwarden.units import SESSION, UnitConfig
from logwarden.units.sessions import KeyFinder


def evaluate(
    model: DetectionModel,
    train: Sequence[RecordingUnits],
    validation: Sequence[RecordingUnits],
    test: Sequence[RecordingUnits],
) -> dict[str, Any]:
    """Measure a model on the test recordings, cut into units by :func:`logwarden.evaluation.units.cut`.

    Returns
    -------
    dict
        ``incident`` and ``unit`` metrics of the model; ``channels``: each channel alone, with its own threshold from
        the validation part; ``ablations``: the ensemble without the language model; ``baselines``: trivial detectors
        fitted on ``train``, their thresholds set on ``validation``; ``split``: what was measured on what. Where the
        test part has no labels there is nothing to compare, and the last three but ``split`` are empty.
    """
    recordings = [recording for recording, _ in test]
    report: dict[str, Any] = {
        "revision": model.revision,
        "split": {
            "train": [recording.name for recording, _ in train],
            "validation": [recording.name for recording, _ in validation],
            "test": [recording.name for recording in recordings],
            "held_out_kinds": sorted({fault.kind for part in recordings for fault in part.faults if fault.held_out}),
        },
        "incident": run(model, recordings).to_json(),
        "unit": unit_metrics(model, test),
        "ablations": {},
        "channels": {},
        "baselines": [],
    }
    if any(recording.labelled for recording in recordings):
        variants = {
            name: {"threshold": chosen["threshold"], "incident": run(variant(model, chosen), recordings).to_json()}
            for name, chosen in model.fitted["variants"].items()
        }
        report["ablations"] = {"without text": variants.pop("without text")}
        report["channels"] = variants
        report["baselines"] = evaluate_baselines(model, train, validation, test)
    return report


def run(model: DetectionModel, recordings: Sequence[Recording]) -> IncidentMetrics:
    """Detect on each recording from a fresh start and match what is reported with its faults."""
    return measure((recording, _alarms(model, recording)) for recording in recordings)


def variant(model: DetectionModel, chosen: dict[str, Any]) -> DetectionModel:
    """Return the model with another combination of its channels."""
    return replace(model, fitted=model.fitted | chosen)


def unit_metrics(model: DetectionModel, parts: Sequence[RecordingUnits]) -> dict[str, float | None]:
    """Precision, recall and F1 per unit, where every unit of an affected host during a fault counts as anomalous.

    Most of these units hold nothing but everyday lines, so recall is low by construction: incidents are what counts.
    Without anomalous units there is nothing to measure but how many were reported.
    """
    flagged, anomalous = [], []
    for recording, units in parts:
        ensemble = model.ensemble()
        ensemble.prepare(units)
        for unit in units:
            scored = ensemble.score(unit)
            flagged.append(bool(scored.findings) and scored.score >= ensemble.threshold)
            anomalous.append(not is_normal(unit, recording))
            if not flagged[-1]:
                ensemble.learn(unit)
    said, true = np.array(flagged), np.array(anomalous)
    hits = float((said & true).sum())
    precision, recall = hits / max(1, said.sum()), hits / max(1, true.sum())
    f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
    measured = {"precision": precision, "recall": recall, "f1": f1}
    return {
        "units": len(flagged),
        "reported": int(said.sum()),
        **{name: round(value, 4) if true.any() else None for name, value in measured.items()},
    }


def _alarms(model: DetectionModel, recording: Recording) -> list[Alarm]:
    detector = Detector(model, "evaluation")
    records: list[AnomalyRecord] = []
    for batch in recording.batches():
        records += detector.process(batch).records
    records += detector.advance(recording.ended).records
    records += detector.finish().records
    session_of = KeyFinder(model.unit.key)
    return [_alarm(record, model.unit, session_of) for record in records]


def _alarm(record: AnomalyRecord, config: UnitConfig, session_of: Callable[[str], str]) -> Alarm:
    start, end = record.start.timestamp(), record.end.timestamp()
    session = session_of(record.lines[0].text) if record.lines and config.kind == SESSION else None
    return Alarm(record.source.host, start, end, config.decided_at(end, record.line_count), session)
