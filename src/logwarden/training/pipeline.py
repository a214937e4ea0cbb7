"""From recordings to a model revision: the whole way of a model."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from shutil import copyfile, copytree
from typing import Any

from logwarden.channels.cache import ScoreCache
from logwarden.datasets import Recording
from logwarden.detect import DetectionModel
from logwarden.detect.model import ENSEMBLE_FILE, LANGUAGE_FOLDER, TEMPLATES_FILE, write_json
from logwarden.evaluation import evaluate
from logwarden.evaluation.units import RecordingUnits, cut, is_normal
from logwarden.explain import training_pairs
from logwarden.language import LanguageModel
from logwarden.language.formulation import EXPLAIN, FORMULATION_VERSION
from logwarden.mask import MASK_VERSION
from logwarden.revisions import Revision, open_revision, write_revision
from logwarden.templates import TemplateMiner, Templates
from logwarden.training.fitting import CHANNELS, calibrate, choose, fit_channels
from logwarden.training.labels import anomalous_templates
from logwarden.training.language import Example, TrainingConfig, export, fine_tune, pretrain
from logwarden.training.language.config import SCRATCH
from logwarden.units import Intake, Unit, UnitConfig

_log = logging.getLogger(__name__)

_LIBRARIES = ("torch", "transformers", "peft", "pyod", "onnx", "onnxruntime", "tokenizers", "sentencepiece", "drain3")
_EXPLANATIONS = 6000
_EXPORT_SAMPLES = 64


@dataclass(frozen=True, slots=True)
class Plan:
    """What to train and how.

    Attributes
    ----------
    name
        Name of the AnomalyModel that the revision is for.
    base
        ``scratch``, ``builtin``, a Hugging Face name, or a folder with a T5.
    pretraining, tuning
        Settings of the language model; ``pretraining`` is used with base ``scratch`` only.
    threshold, quantile
        How the threshold is found, see :func:`logwarden.training.fitting.choose`.
    work
        Folder for what a rerun can use again: checkpoints and finished steps, keyed by their inputs.
    """

    name: str
    base: str
    work: Path
    unit: UnitConfig = field(default_factory=UnitConfig)
    pretraining: TrainingConfig = field(default_factory=TrainingConfig)
    tuning: TrainingConfig = field(default_factory=TrainingConfig)
    threshold: str = "auto"
    quantile: float = 0.999


@dataclass(frozen=True, slots=True)
class Parts:
    """The recordings of each part, in time order: training comes before validation, and that before testing."""

    uri: str
    train: list[Recording]
    validation: list[Recording]
    test: list[Recording]

    def named(self) -> dict[str, list[Recording]]:
        """Return the parts by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


def train(plan: Plan, parts: Parts, root: Path) -> Revision:
    """Train, calibrate, evaluate and write a revision.

    Templates, the language model and the channels come from the training part; calibration, weights and threshold
    from the validation part; metrics from the test part, which nothing else looks at.

    Parameters
    ----------
    root
        Folder of revisions to write to.
    """
    templates = mine_templates(plan.unit, parts.train)
    language_folder = tune_language_model(plan, parts, templates)
    model = DetectionModel(
        revision="new",
        unit=plan.unit,
        templates=templates,
        language=LanguageModel.load(language_folder, threads=2),
        cache=ScoreCache(),
        fitted={},
    )
    model = fit(model, plan, parts)
    report = evaluate(model, parts.train, parts.validation, parts.test)
    files = plan.work / "revision"
    _write_files(files, model, language_folder)
    return write_revision(root, files, _manifest(plan, parts, model, report))


def mine_templates(unit: UnitConfig, recordings: Sequence[Recording]) -> Templates:
    """Mine the templates of all training lines."""
    miner = TemplateMiner()
    for text in line_texts(unit, recordings, Templates()):
        miner.add(text)
    return miner.freeze()


def line_texts(unit: UnitConfig, recordings: Sequence[Recording], templates: Templates) -> Counter[str]:
    """Count the texts that the language model would read, by their template."""
    counts: Counter[str] = Counter()
    for recording in recordings:
        for one in Intake(templates, unit, _never_silent).units(recording.batches()):
            counts.update(templates.text_of(template) or "" for template in one.templates)
    return counts


def fit(model: DetectionModel, plan: Plan, parts: Parts) -> DetectionModel:
    """Fit channels on the training part; calibration, combination and threshold on the validation part."""
    model = fit_channels(
        model, [(one, Intake(model.templates, model.unit, _never_silent).units(one.batches())) for one in parts.train]
    )
    validation = cut(model, parts.validation)
    model = calibrate(model, validation)
    variants = {
        "without text": choose(model, validation, [name for name in CHANNELS if name != "text"]).to_json(),
        **{name: choose(model, validation, [name]).to_json() for name in CHANNELS},
    }
    chosen = choose(model, validation, method=plan.threshold, quantile=plan.quantile)
    validated = {"validation": chosen.metrics.to_json(), "variants": variants, "threshold_method": chosen.method}
    return replace(model, fitted=model.fitted | chosen.to_json() | validated)


def tune_language_model(plan: Plan, parts: Parts, templates: Templates) -> Path:
    """Pretrain where the plan starts from scratch, tune with LoRA, export; return the folder to serve from."""
    examples = _examples(plan.unit, parts.train, templates)
    validation = _examples(plan.unit, parts.validation, templates)
    explanations = [
        (prompt.removeprefix(EXPLAIN), text) for prompt, text in training_pairs(plan.tuning.seed, _EXPLANATIONS)
    ]
    base = _base_folder(plan, examples, explanations)
    held_out = len(explanations) // 20
    explain = [Example("explain", prompt, sentence) for prompt, sentence in explanations]
    tuned = fine_tune(
        base, examples + explain[held_out:], validation + explain[:held_out], plan.tuning, plan.work / "tuned"
    )
    out = plan.work / LANGUAGE_FOLDER
    samples = [example.text for example in validation][:_EXPORT_SAMPLES]
    _log.info("export: %s", export(tuned, out, samples))
    # The weights too: a later training starts from them.
    for name in ("config.json", "model.safetensors"):
        copyfile(tuned / name, out / name)
    copytree(tuned / "adapter", out / "adapter", dirs_exist_ok=True)
    return out


def _base_folder(plan: Plan, examples: Sequence[Example], explanations: Sequence[tuple[str, str]]) -> str | Path:
    if plan.base == "builtin":
        return open_revision("builtin").path / LANGUAGE_FOLDER
    if plan.base != SCRATCH:
        return plan.base
    weighted = {example.text: example.weight for example in examples}
    for text in dict.fromkeys(text for pair in explanations for text in pair):
        weighted.setdefault(text, 0.3)
    return pretrain(list(weighted), list(weighted.values()), plan.pretraining, plan.work / "pretrained")


def _examples(unit: UnitConfig, recordings: Sequence[Recording], templates: Templates) -> list[Example]:
    """Return one example per distinct text, labelled by its template, weighted by the square root of its count."""
    units: list[Unit] = []
    normal: list[bool] = []
    for recording in recordings:
        cut_units = Intake(templates, unit, _never_silent).units(recording.batches())
        units += cut_units
        normal += [is_normal(one, recording) for one in cut_units]
    anomalous = anomalous_templates(units, normal)
    counts = Counter(template for one in units for template in one.templates)
    examples = [
        Example("detect", templates.text_of(t) or "", "anomaly" if anomalous[t] else "normal", count**0.5)
        for t, count in counts.items()
    ]
    # The single texts behind templates with a wildcard too: that is what an unknown text looks like.
    masked = line_texts(unit, recordings, Templates())
    known = {example.text for example in examples}
    for text, count in masked.items():
        if text not in known:
            label = "anomaly" if anomalous.get(templates.id_of(text), False) else "normal"
            examples.append(Example("detect", text, label, count**0.5))
    return examples


def _write_files(files: Path, model: DetectionModel, language_folder: Path) -> None:
    copytree(language_folder, files / LANGUAGE_FOLDER, dirs_exist_ok=True)
    (files / TEMPLATES_FILE).write_text(model.templates.to_json(), encoding="utf-8")
    write_json(files / ENSEMBLE_FILE, model.fitted)


def _manifest(plan: Plan, parts: Parts, model: DetectionModel, report: dict[str, Any]) -> dict[str, Any]:
    counts = {name: _counts(cut(model, recordings)) for name, recordings in parts.named().items()}
    digest = sha256()
    for recordings in parts.named().values():
        for recording in recordings:
            digest.update(recording.path.read_bytes())
    return {
        "name": plan.name,
        "created": datetime.now(UTC).isoformat(),
        "base": {"family": "T5", "model": plan.base},
        "unit": {
            "kind": plan.unit.kind,
            "window": {"lines": plan.unit.lines, "seconds": int(plan.unit.seconds)},
        },
        "data": [{"uri": parts.uri, "format": "lab", "sha256": digest.hexdigest(), "splits": counts}],
        "split": "chronological, by recording: "
        + "; ".join(
            f"{name}: {', '.join(recording.name for recording in recordings)}"
            for name, recordings in parts.named().items()
        ),
        "seed": plan.tuning.seed,
        "training": {
            "steps": plan.tuning.steps,
            "pretraining_steps": plan.pretraining.steps if plan.base == SCRATCH else 0,
            "learning_rate": plan.tuning.learning_rate,
            "batch_size": plan.tuning.batch_size,
        },
        "libraries": {name: version(name) for name in _LIBRARIES},
        "metrics": report,
        "threshold": {
            "value": model.fitted["threshold"],
            "method": model.fitted["threshold_method"],
            "from": "validation",
        },
        "mask_version": str(MASK_VERSION),
        "text_version": str(FORMULATION_VERSION),
    }


def _counts(parts: Sequence[RecordingUnits]) -> dict[str, int]:
    units = [(recording, unit) for recording, units in parts for unit in units]
    return {
        "lines": sum(len(unit.texts) for _, unit in units),
        "units": len(units),
        "anomalies": sum(not is_normal(unit, recording) for recording, unit in units),
    }


def _never_silent(host: str, gap: float) -> float:
    return 0.0
