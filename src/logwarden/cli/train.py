"""``logwarden train``: train a model revision."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from logwarden.cli.common import DataFormat, console, data_dir
from logwarden.cli.running import MAX_PORT, BootstrapServersOption, SecretsOption
from logwarden.errors import InvalidInputError, LogwardenError

if TYPE_CHECKING:
    from logwarden.api.anomaly_model import AnomalyModel, DatasetSpec, PromotionSpec
    from logwarden.api.log_pipeline import LogPipeline
    from logwarden.datasets import Dataset
    from logwarden.revisions import Registry
    from logwarden.training.plan import Parts, Plan

EXAMPLES = """
logwarden train --data /var/log/syslog --steps 0
logwarden train -f model.yaml
logwarden train -f pipeline.yaml --bootstrap-servers localhost:9092 --secrets secrets/
logwarden train --data '/srv/logs/*.gz' --base google/flan-t5-small --name campus
logwarden train --data lab --base scratch --out ./revisions
"""

_FETCHED = ".logwarden-data"
"""Folder, in that of the checkpoints, for data from elsewhere."""
_MOST_VERDICTS = 100_000
_FOR_TUNING = ("torch", "transformers", "peft", "onnx")
_OWN_THRESHOLDS = ("auto", "F1", "Quantile")


class _Job(NamedTuple):
    """What is to be done; ``promotion`` tells whether the document lets the revision become active by itself."""

    plan: Plan
    read: Callable[[], Parts]
    registry: Registry
    promotion: PromotionSpec | None


class _Kafka(NamedTuple):
    """How to reach the Kafka of pipelines."""

    bootstrap_servers: str | None = None
    secrets: Path | None = None


def command(
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="YAML file: its first AnomalyModel is trained.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            help="Log file, glob or folder, also s3://, or recordings of the lab; lab: those of the repository.",
            show_default="lab",
        ),
    ] = None,
    data_format: Annotated[
        DataFormat | None, typer.Option("--format", help="Format of the data.", show_default="auto")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the model.", show_default="default")] = None,
    base: Annotated[
        str | None,
        typer.Option(
            help="builtin, scratch, a Hugging Face T5 such as google/flan-t5-base, a folder or a revision.",
            show_default="builtin",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of revisions; default: the registry on this machine.")
    ] = None,
    work: Annotated[Path | None, typer.Option(help="Folder for checkpoints: a killed run goes on from there.")] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Steps of fine-tuning; 0 keeps the language model and fits only the rest, in seconds, without torch. "
            "Default: three passes over the texts.",
            show_default=False,
        ),
    ] = None,
    pretrain_steps: Annotated[
        int | None, typer.Option(min=1, help="Steps of pretraining, with base scratch.", show_default="6000")
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(min=1e-6, max=0.1, help="Peak learning rate of fine-tuning.", show_default="0.002"),
    ] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Texts in a step.", show_default="32")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of everything random.", show_default="7")] = None,
    threshold: Annotated[
        str | None,
        typer.Option(help="auto, F1, Quantile, a threshold of PyOD, or a number from 0 to 1.", show_default="auto"),
    ] = None,
    result: Annotated[
        Path | None, typer.Option(help="File for what came of it: revision, F1 and whether it is active, as JSON.")
    ] = None,
    discard_work: Annotated[
        bool,
        typer.Option(
            "--discard-work",
            help="Delete the folder of --work after a good end, and those beside it that were left a week ago.",
        ),
    ] = False,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=MAX_PORT,
            help="Port for /metrics, which tell how far it is; 0 takes a free one. Without it none is served.",
            show_default=False,
        ),
    ] = None,
    secrets: SecretsOption = None,
    bootstrap_servers: BootstrapServersOption = None,
    promote: Annotated[
        bool | None,
        typer.Option(
            "--promote/--no-promote",
            help="Make the new revision the active one, or not. Default: what spec.promotion says, else not.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Train a model on your own logs and write a new revision.

    With -f, everything that decides the result stands in the file; a data set that is a topic is read from the Kafka of
    the LogPipelines in it that use the model. Without labels all logs count as normal. Shows progress and remaining
    time; run it again after a break and it goes on where it stopped. Started by torchrun, its processes share every
    batch.
    """
    from logwarden.datasets import kept_until_done
    from logwarden.training.leftovers import discard, mark_for_discarding, remove_old_revisions
    from logwarden.training.pipeline import assist, train

    if discard_work and work is None:
        raise InvalidInputError("--discard-work: needs --work, which names the folder to delete")
    options = {
        "data": data,
        "format": data_format,
        "name": name,
        "base": base,
        "pretrain-steps": pretrain_steps,
        "learning-rate": learning_rate,
        "batch-size": batch_size,
        "seed": seed,
        "threshold": threshold,
    }
    given = {option: value for option, value in options.items() if value is not None}
    kafka = _Kafka(bootstrap_servers, secrets)
    with _joined() as rank:
        if discard_work and work is not None and rank == 0:
            mark_for_discarding(work)
        job = (
            _from_file(file, given, out, work, steps, kafka) if file else _from_options(given, out, work, steps, kafka)
        )
        if rank == 0:
            job.registry.check_writable()
        fetched = kept_until_done(job.plan.work / _FETCHED) if rank == 0 else nullcontext()
        # Processes on one machine cannot all have the port.
        with _progress_served(metrics_port if os.environ.get("LOCAL_RANK", "0") == "0" else None), fetched:
            parts = _read_in_turn(job)
            if rank > 0:
                assist(job.plan, parts)
                return
            revision = train(job.plan, parts, job.registry.root, _say)
            job.registry.add(revision)
        screen = console(stderr=False)
        screen.print(f"revision {revision.id} in {job.registry}/{revision.id}", markup=False, soft_wrap=True)
        screen.print(_measured(revision.manifest.metrics), markup=False, soft_wrap=True)
        promotion = _promotion_now(file, job)
        refusal = _refusal(promote, promotion, revision.manifest.metrics)
        if refusal is None:
            job.registry.promote(revision.id)
            screen.print("it is the active revision now", markup=False)
        else:
            screen.print(f"not made active: {refusal}", markup=False, soft_wrap=True)
        removed = remove_old_revisions(job.registry, promotion, _say) if promotion else []
        if result is not None:
            _write_result(result, revision.id, revision.manifest.metrics, refusal, removed)
        if discard_work:
            discard(job.plan.work, _say)


def _alone() -> bool:
    """Whether no other process shares the training: torchrun and the operator set all of these variables."""
    names = ("WORLD_SIZE", "RANK", "MASTER_ADDR", "MASTER_PORT")
    return os.environ.get("WORLD_SIZE") == "1" or not all(map(os.environ.get, names))


@contextmanager
def _joined() -> Iterator[int]:
    """Join the other processes where several share a training, and give the rank of this one."""
    if _alone():
        yield 0
        return
    from logwarden.training.language.ranks import joined

    with joined() as rank:
        yield rank


def _read_in_turn(job: _Job) -> Parts:
    """Read the data; what process 0 fetched is there for the others."""
    if _alone():
        return job.read()
    from logwarden.training.language.ranks import zero_first

    return zero_first(job.read)


@contextmanager
def _progress_served(port: int | None) -> Iterator[None]:
    """Serve the metrics of a training while it runs."""
    if port is None:
        yield
        return
    from logwarden.local.health import HealthServer
    from logwarden.training.metrics import TrainingMetrics

    server = HealthServer(port, TrainingMetrics(), alive=lambda: "", ready=lambda: "")
    _say(f"progress at http://localhost:{server.port}/metrics")
    try:
        yield
    finally:
        server.close()


def _write_result(path: Path, revision: str, metrics: dict[str, Any], refusal: str | None, removed: list[str]) -> None:
    """Write what an operator reads as the termination message of a training pod."""
    from logwarden.api.training_result import MAX_REFUSAL, MAX_REMOVED, TrainingResult

    found = TrainingResult(
        revision=revision,
        f1=metrics["incident"]["f1"],
        active=refusal is None,
        refusal=refusal[:MAX_REFUSAL] if refusal else None,
        removed=removed[:MAX_REMOVED],
    )
    try:
        path.write_text(found.to_text() + "\n", encoding="utf-8")
    except OSError as error:
        raise LogwardenError(f"--result {path}: cannot be written: {error.strerror}") from None


def _from_file(
    file: Path,
    given: dict[str, Any],
    out: Path | None,
    work: Path | None,
    steps: int | None,
    kafka: _Kafka,
) -> _Job:
    from logwarden.api.load import load_resources
    from logwarden.datasets import load_collected, load_dataset
    from logwarden.local.collected import raw_topics
    from logwarden.training.spec import parts_of, plan_of, storage_of

    if given:
        raise InvalidInputError(f"--{next(iter(given))} does not go with --file: change it in {file}")
    resources = load_resources(file)
    model = _first_model(resources, file)
    where = str(file)
    registry = (None if out else storage_of(model, where)) or _registry(out)
    plan = plan_of(model, work or _work(model.name), where, steps=steps)
    _check_packages(plan)
    if model.spec.training.feedback.include:
        _tell_about_feedback()

    fetched = plan.work / _FETCHED

    def load(dataset: DatasetSpec) -> Dataset:
        if dataset.topic is not None:
            topics = raw_topics(resources, model, kafka.secrets, kafka.bootstrap_servers)
            return load_collected(topics, dataset.topic.last, fetched, _say)
        assert dataset.uri is not None  # a rule of the contract
        return load_dataset(dataset.uri, dataset.format, folder=fetched, say=_say)

    return _Job(plan, partial(parts_of, model, where, load), registry, model.spec.promotion)


def _promotion_now(file: Path | None, job: _Job) -> PromotionSpec | None:
    """Return what the document says of promotion now: it may have changed in the hours of a training."""
    from logwarden.api.load import load_resources

    if file is None:
        return job.promotion
    try:
        return _first_model(load_resources(file), file).spec.promotion
    except InvalidInputError as error:
        _say(f"spec.promotion is taken as it was when the training began: {error}")
        return job.promotion


def _first_model(resources: Iterable[AnomalyModel | LogPipeline], file: Path) -> AnomalyModel:
    from logwarden.api.anomaly_model import AnomalyModel

    for resource in resources:
        if isinstance(resource, AnomalyModel):
            return resource
    raise InvalidInputError(f"{file}: no AnomalyModel found, and one is needed to train")


def _from_options(given: dict[str, Any], out: Path | None, work: Path | None, steps: int | None, kafka: _Kafka) -> _Job:
    from logwarden.datasets import load_dataset
    from logwarden.training.language.config import TrainingConfig
    from logwarden.training.plan import Parts, Plan

    if kafka != _Kafka():
        raise InvalidInputError("--bootstrap-servers and --secrets need --file, which names the topic in a LogPipeline")
    name, seed = given.get("name", "default"), given.get("seed", 7)
    batch_size = given.get("batch-size", 32)
    plan = Plan(
        name=name,
        base=given.get("base", "builtin"),
        work=work or _work(name),
        pretraining=TrainingConfig(steps=given.get("pretrain-steps", 6000), batch_size=batch_size, seed=seed),
        tuning=TrainingConfig(
            steps=steps, epochs=3, batch_size=batch_size, learning_rate=given.get("learning-rate", 2e-3), seed=seed
        ),
        threshold=_threshold(given.get("threshold", "auto")),
    )
    _check_packages(plan)

    def read() -> Parts:
        uri, data_format = given.get("data", "lab"), given.get("format", DataFormat.AUTO).value
        return Parts([load_dataset(uri, data_format, folder=plan.work / _FETCHED, say=_say)])

    return _Job(plan, read, _registry(out), None)


def _check_packages(plan: Plan) -> None:
    """Say before anything is read what a training would miss after minutes.

    Raises
    ------
    ModuleNotFoundError
        If a package of the extra ``train`` that the plan needs is not installed.
    """
    from importlib.util import find_spec

    needed = list(_FOR_TUNING) if plan.tuning.steps != 0 else []
    if plan.threshold.value is None and plan.threshold.method not in _OWN_THRESHOLDS:
        needed.append("pyod")
    for package in needed:
        if find_spec(package) is None:
            raise ModuleNotFoundError(name=package)


def _threshold(text: str) -> Any:
    from typing import get_args

    from logwarden.api.anomaly_model import ThresholdMethod
    from logwarden.training.plan import Threshold

    if text in get_args(ThresholdMethod):
        return Threshold(text)
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        methods = ", ".join(get_args(ThresholdMethod))
        raise InvalidInputError(f"--threshold {text}: expected a number from 0 to 1, or one of {methods}")
    return Threshold(value=value)


def _say(text: str) -> None:
    """Tell the person who waits."""
    console().print(text, markup=False, soft_wrap=True)


def _registry(out: Path | None) -> Registry:
    from logwarden.revisions import Registry

    return Registry(out or data_dir() / "models")


def _work(name: str) -> Path:
    return data_dir() / "training" / name


def _tell_about_feedback() -> None:
    """Say what becomes of analysts' verdicts: nothing is left out silently."""
    from logwarden.store import Store, default_store_path

    path = default_store_path()
    verdicts = 0
    if path.is_file():
        with Store.open(path, read_only=True) as store:
            verdicts = sum(record.feedback is not None for record in store.anomalies(limit=_MOST_VERDICTS))
    found = f"{verdicts} of analysts' verdicts in {path} are not learned from yet" if verdicts else "none is there yet"
    _say(f"spec.training.feedback: {found}")


def _measured(metrics: dict[str, Any]) -> str:
    incident = metrics["incident"]
    if "note" in incident:
        hours = incident["days"] * 24
        span = "" if hours == 0 else f" in {hours:,.1f} hours of logs"
        reports = incident["reports"]
        found = f"{reports} anomal{'y' if reports == 1 else 'ies'}{span}"
        return f"test part, the newest 20 % of the lines: {incident['note']}; the model reports {found}"
    keys = ("f1", "precision", "recall", "unseen_recall", "false_alarms_per_day", "median_seconds_to_detection")
    values = [f"{key} {incident[key]:.3g}" for key in keys if incident[key] is not None]
    return f"test part: {', '.join(values)}" if incident["faults"] else "test part: it has no faults to be found"


def _refusal(promote: bool | None, promotion: PromotionSpec | None, metrics: dict[str, Any]) -> str | None:
    """Return why the revision does not become active, or None."""
    if promote is not None:
        return None if promote else "because of --no-promote"
    if promotion is None:
        return "add --promote, or run 'logwarden models promote'"
    if not promotion.automatic:
        return "spec.promotion.automatic is false: run 'logwarden models promote'"
    from logwarden.training.spec import gate

    return gate(promotion, metrics)
