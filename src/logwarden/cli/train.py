"""``logwarden train``: train a model revision."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from logwarden.cli.common import console, data_dir

EXAMPLES = """
logwarden train --data lab --name campus
logwarden train --data /srv/recordings --base google/flan-t5-small --epochs 3
logwarden train --data lab --base scratch --out ./revisions
"""


def command(
    data: Annotated[
        str, typer.Option(help="Folder with recordings train-*, validation-* and test-*; lab: those of the repository.")
    ] = "lab",
    name: Annotated[str, typer.Option(help="Name of the model.")] = "default",
    base: Annotated[
        str, typer.Option(help="builtin, scratch, a Hugging Face T5 such as google/flan-t5-base, or a folder.")
    ] = "builtin",
    out: Annotated[
        Path | None, typer.Option(help="Folder of revisions; default: the registry on this machine.")
    ] = None,
    work: Annotated[Path | None, typer.Option(help="Folder for checkpoints: a killed run goes on from there.")] = None,
    pretrain_steps: Annotated[int, typer.Option(min=1, help="Steps of pretraining, with base scratch.")] = 6000,
    steps: Annotated[int, typer.Option(min=1, help="Steps of fine-tuning.")] = 3000,
    learning_rate: Annotated[float, typer.Option(min=1e-6, max=0.1, help="Peak learning rate of fine-tuning.")] = 2e-3,
    batch_size: Annotated[int, typer.Option(min=1, help="Texts in a step.")] = 32,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 7,
    promote: Annotated[bool, typer.Option("--promote", help="Make the new revision the active one.")] = False,
) -> None:
    """Fine-tune a model on your own logs and write a new revision.

    Shows progress and remaining time; run it again after a break and it goes on where it stopped.
    """
    from logwarden.datasets import find_recordings
    from logwarden.revisions import Registry
    from logwarden.training.language import TrainingConfig
    from logwarden.training.pipeline import Parts, Plan, train

    parts = Parts(data, *(find_recordings(data, part) for part in ("train", "validation", "test")))
    plan = Plan(
        name=name,
        base=base,
        work=work or data_dir() / "training" / name,
        pretraining=TrainingConfig(steps=pretrain_steps, batch_size=batch_size, seed=seed),
        tuning=TrainingConfig(steps=steps, batch_size=batch_size, learning_rate=learning_rate, seed=seed),
    )
    root = out or data_dir() / "models"
    revision = train(plan, parts, root)
    if promote:
        Registry(root).promote(revision.id)
    incident = revision.manifest.metrics["incident"]
    screen = console(stderr=False)
    screen.print(f"revision {revision.id} in {revision.path}", markup=False, soft_wrap=True)
    screen.print(f"test part: {incident}", markup=False)
