"""Model folders: written whole or not at all, and recognised when a run is repeated."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from logwarden.errors import LogwardenError
from logwarden.training.language import ranks
from logwarden.training.language.config import TrainingConfig
from logwarden.training.language.loop import RunState

REPORT = "training.json"
_LIBRARIES = ("torch", "transformers", "peft", "tokenizers")


@contextmanager
def replaced(out: Path) -> Iterator[Path]:
    """Give a temporary folder and rename it to ``out`` when the block ends without an error."""
    temporary = out.with_name(f".{out.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    yield temporary
    shutil.rmtree(out, ignore_errors=True)
    temporary.rename(out)


def finished(out: Path, fingerprint: str) -> bool:
    """Tell whether the folder is the whole result of the run with this fingerprint.

    Raises
    ------
    LogwardenError
        If another process of this training has other settings or data.
    """
    first, there = ranks.on_rank_zero(lambda: (fingerprint, _is_result(out, fingerprint)))
    if first != fingerprint:
        raise LogwardenError(
            f"process {ranks.rank()} of this training sees other settings or data than process 0: all need the same"
        )
    return there


def _is_result(out: Path, fingerprint: str) -> bool:
    try:
        report = json.loads((out / REPORT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(report.get("fingerprint") == fingerprint)


def checkpoint_folder(config: TrainingConfig, out: Path, fingerprint: str) -> Path:
    """Return the folder for the resume points of a run."""
    return (config.checkpoints or out.with_name(f".{out.name}.checkpoints")) / fingerprint


def write_report(
    folder: Path, fingerprint: str, base: str | Path, config: TrainingConfig, state: RunState, model: Any
) -> None:
    """Write ``training.json``: what was run, with what, and how the loss went."""
    report = {
        "fingerprint": fingerprint,
        "base": public_name(base),
        "seed": config.seed,
        "steps": state.step,
        "tokens": state.tokens,
        "seconds": round(state.elapsed, 1),
        "parameters": sum(value.numel() for value in model.parameters()),
        "trained_parameters": sum(value.numel() for value in model.parameters() if value.requires_grad),
        "best_loss": None if state.best is None else state.best_loss,
        "history": state.history,
        "versions": {name: version(name) for name in _LIBRARIES},
    }
    (folder / REPORT).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def public_name(base: str | Path) -> str:
    """Return a hub's name of a base model, or the last part of a local path: the rest is this machine's business."""
    return Path(base).name if Path(base).is_dir() else str(base)


def identity(base: str | Path) -> str:
    """Return a hash of a local base model's weights and tokenizer, or the name of one on a hub."""
    digest = hashlib.sha256()
    files = sorted(
        path for pattern in ("*.safetensors", "tokenizer.json", "config.json") for path in Path(base).glob(pattern)
    )
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest() if files else str(base)
