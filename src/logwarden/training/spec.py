"""From an AnomalyModel to what a training on this machine needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from logwarden.api.anomaly_model import AnomalyModel, DatasetSpec, LoraSpec, PromotionSpec, UnitSpec
from logwarden.datasets import Dataset
from logwarden.errors import InvalidInputError
from logwarden.revisions import Registry, registry_at
from logwarden.training.language.config import Lora, TrainingConfig
from logwarden.training.plan import Parts, Plan, Threshold
from logwarden.units import UnitConfig

Load = Callable[[DatasetSpec], Dataset]
"""Reads a data set from wherever it is."""

_ATTENTION = ("q", "k", "v", "o")
"""The attention projections of a T5, by name."""


def plan_of(model: AnomalyModel, work: Path, where: str, *, steps: int | None = None) -> Plan:
    """Return how to train a model.

    Parameters
    ----------
    work
        Folder for checkpoints and finished steps.
    where
        What messages call the document, such as its file.
    steps
        Steps of fine-tuning instead of ``training.epochs``; 0 keeps the language model of the base as it is.

    Raises
    ------
    InvalidInputError
        If the document asks for what cannot be done on this machine, or not yet; the message names the field.
    """
    spec, training = model.spec, model.spec.training
    if spec.base.family != "T5":
        raise InvalidInputError(f"{where}: spec.base.family: {spec.base.family} cannot be trained yet: set it to T5")
    if spec.base.model.startswith("pvc://"):
        raise InvalidInputError(
            f"{where}: spec.base.model: {spec.base.model} exists only in a cluster: name a folder with file://"
        )
    return Plan(
        name=model.name,
        base=spec.base.model,
        work=work,
        unit=_unit(spec.unit),
        mode=training.mode,
        tuning=TrainingConfig(
            lora=_lora(training.lora),
            epochs=training.epochs,
            steps=steps,
            batch_size=training.batch_size,
            learning_rate=training.learning_rate,
            max_tokens=training.max_tokens,
            seed=training.seed,
        ),
        threshold=Threshold(spec.threshold.method, spec.threshold.quantile, spec.threshold.value),
    )


def parts_of(model: AnomalyModel, where: str, load: Load) -> Parts:
    """Read the data sets of a model.

    Raises
    ------
    InvalidInputError
        If there is none, or one cannot be read here; the message names the field.
    """
    datasets = model.spec.training.datasets
    if not datasets:
        raise InvalidInputError(
            f"{where}: spec.training.datasets: found none, and one is needed to train: add - uri: /var/log/syslog"
        )
    fields = [f"{where}: spec.training.datasets[{i}]" for i in range(len(datasets))]
    parts = Parts([_dataset(one, field, load) for one, field in zip(datasets, fields, strict=True)])
    if model.spec.training.mode == "Supervised" and not any(dataset.labelled for dataset in parts.datasets):
        raise InvalidInputError(
            f"{where}: spec.training.mode: Supervised needs labels, and none of the data sets has any: "
            "set it to SemiSupervised"
        )
    return parts


def storage_of(model: AnomalyModel, where: str) -> Registry | None:
    """Return the registry of revisions that a model names, None where it names none.

    Raises
    ------
    InvalidInputError
        If it cannot be written from here.
    """
    uri = model.spec.storage.uri
    if uri is None:
        return None
    registry = registry_at(uri)
    if registry is None:
        raise InvalidInputError(
            f"{where}: spec.storage.uri: {uri} cannot be written here: give a folder with --out, or a URI with file:// "
            "or s3://"
        )
    return registry


def gate(promotion: PromotionSpec, report: dict[str, Any]) -> str | None:
    """Return why a revision with this evaluation report must not become active, or None where it may."""
    f1 = report["incident"]["f1"]
    if f1 is None:
        if promotion.minimum_f1 > 0:
            return f"minimumF1 is {promotion.minimum_f1}, but the test part has no labelled faults to measure F1 on"
        return None
    if f1 < promotion.minimum_f1:
        return f"its F1 of {f1} is below minimumF1, {promotion.minimum_f1}"
    for baseline in report["baselines"] if promotion.must_beat_baselines else ():
        if baseline["incident"]["f1"] >= f1:
            return f"its F1 of {f1} is not above that of the baseline {baseline['name']}, {baseline['incident']['f1']}"
    return None


def _unit(unit: UnitSpec) -> UnitConfig:
    match unit.kind:
        case "Line":
            return UnitConfig.line()
        case "Window":
            return UnitConfig(lines=unit.window.lines, seconds=float(unit.window.seconds))
        case "Session":
            assert unit.session is not None  # a rule of the contract
            return UnitConfig.session(unit.session.key, float(unit.session.idle_seconds))
        case "Flow":
            return UnitConfig.flow()


def _dataset(dataset: DatasetSpec, field: str, load: Load) -> Dataset:
    try:
        return load(dataset)
    except InvalidInputError as error:
        named = f"{field}.topic" if dataset.topic is not None else field
        raise InvalidInputError(f"{named}: {error}") from error


def _lora(lora: LoraSpec) -> Lora:
    modules = _ATTENTION if lora.target_modules == "auto" else lora.target_modules
    return Lora(lora.rank, lora.alpha, lora.dropout, modules)
