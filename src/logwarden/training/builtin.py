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

from logwarden.datasets import find_recordings
from logwarden.revisions import Revision
from logwarden.revisions.reference import BUILTIN_PATH
from logwarden.training.language import TrainingConfig
from logwarden.training.language.config import SCRATCH
from logwarden.training.pipeline import Parts, Plan, train

SEED = 7
PRETRAINING = TrainingConfig(steps=800, batch_size=32, learning_rate=3e-3, max_tokens=128, seed=SEED)
TUNING = TrainingConfig(steps=700, batch_size=32, learning_rate=2e-3, max_tokens=128, seed=SEED)


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
    parts = Parts(args.data, *(find_recordings(args.data, part) for part in ("train", "validation", "test")))
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
