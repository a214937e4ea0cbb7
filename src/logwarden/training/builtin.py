"""Train the revision that the package carries: ``python -m logwarden.training.builtin``.

It learns from nothing but the recordings in lab/recordings and sentences of our own, so a clone is all it takes. The
settings below are the whole recipe. A rerun with the same inputs goes on from checkpoints and finished steps in the
work folder.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import tempfile
from pathlib import Path

from logwarden.datasets import load_dataset
from logwarden.revisions import Revision
from logwarden.revisions.reference import BUILTIN_PATH
from logwarden.training.language import TrainingConfig
from logwarden.training.language.config import SCRATCH
from logwarden.training.pipeline import train
from logwarden.training.plan import Parts, Plan

SEED = 7
# One thread: sums in another order would end in other weights.
PRETRAINING = TrainingConfig(
    steps=1600,
    batch_size=16,
    learning_rate=1.5e-3,
    seed=SEED,
    threads=1,
    explain_share=0.25,
    evaluate_every=200,
    patience=100,
)
TUNING = TrainingConfig(
    steps=500,
    batch_size=16,
    learning_rate=2e-3,
    seed=SEED,
    threads=1,
    explain_share=0.15,
    corruption_share=0.15,
    evaluate_every=250,
)


def main() -> None:
    """Train from scratch and replace the packaged revision."""
    parser = argparse.ArgumentParser(prog="python -m logwarden.training.builtin", description=__doc__)
    parser.add_argument("--data", default="lab", help="recordings to learn from (default: those of the repository)")
    parser.add_argument("--out", type=Path, default=BUILTIN_PATH, help="folder to replace")
    parser.add_argument(
        "--work", type=Path, default=Path("~/.cache/logwarden/builtin").expanduser(), help="folder for checkpoints"
    )
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    parts = Parts([load_dataset(args.data, "lab")])
    plan = Plan("builtin", SCRATCH, args.work, pretraining=PRETRAINING, tuning=TUNING)
    with tempfile.TemporaryDirectory() as folder:
        revision = train(plan, parts, Path(folder))
        _replace(args.out, revision)
    print(f"revision {revision.id} in {args.out}: {revision.manifest.size / 1e6:.1f} MB")


def _replace(target: Path, revision: Revision) -> None:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(revision.path, target)


if __name__ == "__main__":
    main()
