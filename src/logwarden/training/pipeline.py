"""From data sets to a model revision: the whole way of a model."""

from __future__ import annotations

import logging
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from logwarden.channels.cache import ModelScores
from logwarden.channels.text import SEPARATOR
from logwarden.datasets import PARTS, Recording, together
from logwarden.detect import DetectionModel
from logwarden.detect.model import ENSEMBLE_FILE, LANGUAGE_FOLDER, TEMPLATES_FILE, write_json
from logwarden.errors import InvalidInputError
from logwarden.evaluation import evaluate
from logwarden.evaluation.units import RecordingUnits, cut, is_normal, normal_units
from logwarden.events import ParsedLine
from logwarden.explain import SLOT_WORDS
from logwarden.language import LanguageModel
from logwarden.mask import MASK_WORDS
from logwarden.parse import LineParser
from logwarden.revisions import Revision, write_revision
from logwarden.templates import TemplateMiner, Templates
from logwarden.training.base import base_revision, base_weights
from logwarden.training.examples import detection_examples, explanation_examples
from logwarden.training.fitting import CHANNELS, calibrate, choose_as_served, fit_channels
from logwarden.training.language import Example
from logwarden.training.language.config import SCRATCH
from logwarden.training.manifest import manifest_fields
from logwarden.training.plan import Parts, Plan
from logwarden.units import FLOW, FlowWords, Intake, Unit, UnitConfig

_log = logging.getLogger(__name__)

_EXPLANATIONS = 4000
_EXPORT_SAMPLES = 64

Say = Callable[[str], None]
"""Takes a line for the person who waits."""


def train(plan: Plan, parts: Parts, root: Path, say: Say = _log.info) -> Revision:
    """Train, calibrate, evaluate and write a revision.

    Templates, the language model and the channels come from the training part; calibration, weights and threshold
    from the validation part; metrics from the test part, which nothing else looks at.

    Parameters
    ----------
    root
        Folder of revisions to write to.
    say
        Is told of every step.

    Raises
    ------
    InvalidInputError
        If the base cannot be used, the data is too small, or the threshold cannot be found.
    """
    started = time.monotonic()
    plan = with_fields(plan, parts)
    templates = mine_templates(plan.unit, parts.train)
    say(f"{len(templates)} templates in the training part")
    before_language = time.monotonic()
    language_folder = _language_folder(plan, parts, templates)
    spent_on_language = time.monotonic() - before_language
    language = LanguageModel.load(language_folder, threads=2)
    model = DetectionModel("new", plan.unit, templates, language, ModelScores(language), fitted={})
    model = fit(model, plan, parts, say)
    say("measuring on the test part")
    cuts = {name: cut(model, together(parts.datasets, name)) for name in PARTS}
    report = evaluate(model, *(cuts[name] for name in PARTS))
    files = plan.work / "revision"
    _write_files(files, model, language_folder)
    # The steps of the language model may have been taken by an earlier call: their reports know how long they took.
    seconds = time.monotonic() - started - spent_on_language
    return write_revision(root, files, manifest_fields(plan, parts.datasets, cuts, model, report, seconds))


def assist(plan: Plan, parts: Parts) -> None:
    """Take part in a training whose process of rank 0 calls :func:`train`: share the steps of the language model."""
    if plan.tuning.steps != 0:
        plan = with_fields(plan, parts)
        _tuned_folder(plan, parts, mine_templates(plan.unit, parts.train))


def mine_templates(unit: UnitConfig, recordings: Sequence[Recording]) -> Templates:
    """Mine the templates of all training lines.

    Raises
    ------
    InvalidInputError
        If there is no line that can be read.
    """
    miner = TemplateMiner()
    texts = masked_lines(unit, recordings)
    if not texts:
        raise InvalidInputError("no line of the training part can be read: are these text logs?")
    if unit.kind == FLOW:
        return Templates(texts)  # words are what they are: two of them must not become one
    for text in texts:
        miner.add(text)
    return miner.freeze()


def with_fields(plan: Plan, parts: Parts) -> Plan:
    """Find out what the fields of the flow records of normal life say, where they are the units.

    Raises
    ------
    InvalidInputError
        If there are no records.
    """
    if plan.unit.kind != FLOW:
        return plan
    parser = LineParser()
    lines = (
        parser.parse(one.texts[0], one.times[0])
        for recording, one in _units(UnitConfig.line(), parts.train, Templates())
        if is_normal(one, recording)
    )
    words = FlowWords.fit(line.message for line in lines if isinstance(line, ParsedLine))
    if not words:
        raise InvalidInputError(
            "spec.unit.kind: Flow needs flow records, lines of JSON or key=value, and the training part has none: set "
            "it to Line or Window"
        )
    return replace(plan, unit=UnitConfig.flow(words.to_json()))


def fit(model: DetectionModel, plan: Plan, parts: Parts, say: Say = _log.info) -> DetectionModel:
    """Fit channels on the training part; calibration, combination and threshold on the validation part."""
    train = [(one, Intake(model.templates, model.unit, _never_silent).units(one.batches())) for one in parts.train]
    say(f"fitting the channels to {sum(len(units) for _, units in train)} units")
    model = fit_channels(model, train)
    validation = cut(model, parts.validation)
    say(f"choosing the threshold on {sum(len(units) for _, units in validation)} units")
    model = calibrate(model, validation)
    variants = {
        "without text": choose_as_served(model, validation, [name for name in CHANNELS if name != "text"]).to_json(),
        **{name: choose_as_served(model, validation, [name]).to_json() for name in CHANNELS},
    }
    how = plan.threshold
    chosen = choose_as_served(model, validation, method=how.method, quantile=how.quantile, value=how.value)
    say(f"threshold {chosen.threshold:.3f} by {chosen.method}{_doubt(chosen.method, how.quantile, validation)}")
    validated = {"validation": chosen.metrics.to_json(), "variants": variants, "threshold_method": chosen.method}
    return replace(model, fitted=model.fitted | chosen.to_json() | validated)


def _doubt(method: str, quantile: float, validation: Sequence[RecordingUnits]) -> str:
    """Return what to say of a quantile that needs more units than there are: it is the score of the oddest."""
    normal = len(normal_units(validation))
    if method != "Quantile" or normal * (1 - quantile) >= 1:
        return ""
    return (
        f", but {normal} units are few to tell what {100 * quantile:g} % stay below: about one in {normal + 1} is "
        "going to be reported; take more logs, or give --threshold"
    )


def _language_folder(plan: Plan, parts: Parts, templates: Templates) -> Path:
    """Return the folder of the language model to serve from: tuned, or that of the base as it is."""
    if plan.tuning.steps != 0:
        return tune_language_model(plan, parts, templates)
    revision = None if plan.base == SCRATCH else base_revision(plan.base)
    if revision is None:
        raise InvalidInputError(
            f"base {plan.base}: only a model revision, such as builtin, can be used without tuning: give it some steps"
        )
    return revision.path / LANGUAGE_FOLDER


def tune_language_model(plan: Plan, parts: Parts, templates: Templates) -> Path:
    """Pretrain where the plan starts from scratch, tune with LoRA, export; return the folder to serve from."""
    from logwarden.training.language import export

    tuned, samples = _tuned_folder(plan, parts, templates)
    out = plan.work / LANGUAGE_FOLDER
    shutil.rmtree(out, ignore_errors=True)
    _log.info("export: %s", export(tuned, out, samples))
    # The weights too: a later training starts from them.
    for name in ("config.json", "model.safetensors"):
        shutil.copyfile(tuned / name, out / name)
    shutil.copytree(tuned / "adapter", out / "adapter")
    return out


def _tuned_folder(plan: Plan, parts: Parts, templates: Templates) -> tuple[Path, list[str]]:
    """Return the folder of the tuned weights, and some texts of the validation part."""
    from logwarden.training.language import fine_tune

    train = _examples(plan, parts.train, templates)
    validation = _examples(plan, parts.validation, templates)
    explanations = explanation_examples(plan.tuning.seed, _EXPLANATIONS)
    held_out = len(explanations) // 20
    base = _base_folder(plan, train, explanations[held_out:])
    tuned = fine_tune(
        base,
        train + explanations[held_out:],
        validation + explanations[:held_out],
        plan.tuning,
        plan.work / "tuned",
    )
    return tuned, [example.text for example in validation][:_EXPORT_SAMPLES]


def _base_folder(plan: Plan, examples: Sequence[Example], explanations: Sequence[Example]) -> str | Path:
    if plan.base != SCRATCH:
        return base_weights(plan.base)
    from logwarden.training.language import pretrain

    # A unit says what its lines say and takes many times as long to read, so it is drawn less often.
    corpus = {example.text: example.weight / (1 + example.text.count(SEPARATOR)) ** 2 for example in examples}
    return pretrain(
        list(corpus),
        list(corpus.values()),
        plan.pretraining,
        plan.work / "pretrained",
        words=(*MASK_WORDS, *SLOT_WORDS),
        explanations=explanations,
    )


def _examples(plan: Plan, recordings: Sequence[Recording], templates: Templates) -> list[Example]:
    units = [
        (one, normal)
        for recording, one in _units(plan.unit, recordings, templates)
        if (normal := is_normal(one, recording)) or plan.mode == "Supervised"
    ]
    masked = masked_lines(plan.unit, recordings, only_normal=plan.mode != "Supervised")
    return detection_examples(units, masked, templates)


def masked_lines(unit: UnitConfig, recordings: Sequence[Recording], *, only_normal: bool = False) -> Counter[str]:
    """Count the masked lines as they are, before templates; those of normal units alone with ``only_normal``."""
    templates = Templates()
    counts: Counter[str] = Counter()
    for recording, one in _units(unit, recordings, templates):
        if not only_normal or is_normal(one, recording):
            counts.update(templates.text_of(template) or "" for template in one.counts.elements())
    return counts


def _units(unit: UnitConfig, recordings: Sequence[Recording], templates: Templates) -> Iterator[tuple[Recording, Unit]]:
    for recording in recordings:
        for one in Intake(templates, unit, _never_silent).units(recording.batches()):
            yield recording, one


def _write_files(files: Path, model: DetectionModel, language_folder: Path) -> None:
    """Gather the revision's files in a folder that holds nothing else."""
    shutil.rmtree(files, ignore_errors=True)
    shutil.copytree(language_folder, files / LANGUAGE_FOLDER)
    (files / TEMPLATES_FILE).write_text(model.templates.to_json(), encoding="utf-8")
    write_json(files / ENSEMBLE_FILE, model.fitted)


def _never_silent(host: str, gap: float) -> float:
    return 0.0
