"""Evaluate a model as a whole and in its parts, beside trivial baselines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np

from logwarden.api.record import AnomalyRecord
from logwarden.datasets import Recording
from logwarden.detect import DetectionModel, Detector
from logwarden.evaluation.alarms import Alarm, IncidentMetrics, measure
from logwarden.evaluation.baselines import evaluate_baselines
from logwarden.evaluation.units import RecordingUnits, is_normal
from logwarden.explain.builtin import BuiltinExplainer
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
        ``incident`` and ``unit`` metrics of the model; ``explanations``: how many anomalies there are and what share of
        them the language model explains faithfully; ``channels``: each channel alone, with its own threshold from
        the validation part; ``ablations``: the ensemble without the language model; ``baselines``: trivial detectors
        fitted on ``train``, their thresholds set on ``validation``; ``split``: what was measured on what. Where the
        test part has no labels there is nothing to compare, and the last three but ``split`` are empty.
    """
    recordings = [recording for recording, _ in test]
    records = [_records(model, recording) for recording in recordings]
    report: dict[str, Any] = {
        "revision": model.revision,
        "split": {
            "train": [recording.name for recording, _ in train],
            "validation": [recording.name for recording, _ in validation],
            "test": [recording.name for recording in recordings],
            "held_out_kinds": sorted({fault.kind for part in recordings for fault in part.faults if fault.held_out}),
        },
        "incident": _measure(model, recordings, records).to_json(),
        "explanations": explanation_metrics(model, chain.from_iterable(records)),
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
    return _measure(model, recordings, (_records(model, recording) for recording in recordings))


def explanation_metrics(model: DetectionModel, records: Iterable[AnomalyRecord]) -> dict[str, float | None]:
    """Let the model explain records; return how many there are, and the share of its texts that pass the check.

    The others are told by the plain rendering.
    """
    explainer = BuiltinExplainer(model.language)
    backends = Counter(explainer.explain(record).backend for record in records)
    count = backends.total()
    return {"records": count, "by_model": round(backends["builtin"] / count, 4) if count else None}


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
        ensemble.prepare(units, ensemble.threshold)
        for unit in units:
            flagged.append(ensemble.judge(unit, ensemble.threshold) is not None)
            anomalous.append(not is_normal(unit, recording))
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


def _measure(
    model: DetectionModel, recordings: Iterable[Recording], records: Iterable[Sequence[AnomalyRecord]]
) -> IncidentMetrics:
    session_of = KeyFinder(model.unit.key)
    return measure(
        (recording, [_alarm(record, model.unit, session_of) for record in found])
        for recording, found in zip(recordings, records, strict=True)
    )


def _records(model: DetectionModel, recording: Recording) -> list[AnomalyRecord]:
    detector = Detector(model, "evaluation")
    records: list[AnomalyRecord] = []
    for batch in recording.batches():
        records += detector.process(batch).records
    records += detector.advance(recording.ended).records
    records += detector.finish().records
    return records


def _alarm(record: AnomalyRecord, config: UnitConfig, session_of: Callable[[str], str]) -> Alarm:
    start, end = record.start.timestamp(), record.end.timestamp()
    session = session_of(record.lines[0].text) if record.lines and config.kind == SESSION else None
    return Alarm(record.source.host, start, end, config.decided_at(end, record.line_count), session)
