"""What a training run is told. Nothing here needs torch."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

SCRATCH = "scratch"
"""Base model name that stands for a new T5 with its own tokenizer."""


@dataclass(frozen=True, slots=True)
class ModelSize:
    """Shape of a T5 built from scratch; the defaults give 3.1 million parameters."""

    width: int = 192
    feed_forward: int = 384
    heads: int = 6
    head_width: int = 32
    encoder_layers: int = 4
    decoder_layers: int = 2
    vocabulary: int = 3072
    dropout: float = 0.1


@dataclass(frozen=True, slots=True)
class Lora:
    """Low-rank adapters (Hu et al. 2021). ``target_modules`` are names, or ``all-linear`` for every linear layer."""

    rank: int = 16
    alpha: int = 32
    dropout: float = 0.05
    target_modules: str | tuple[str, ...] = "all-linear"


@dataclass(frozen=True, slots=True)
class Example:
    """One training pair.

    Attributes
    ----------
    task
        ``detect`` or ``explain``.
    text
        Input without the task's prefix.
    target
        ``normal`` or ``anomaly`` for detection, the sentence for an explanation.
    weight
        How often it is drawn, relative to others of its kind. For texts without duplicates take the square root of
        how often each occurred: frequent pairs then keep their say and rare ones are heard.
    """

    task: Literal["detect", "explain"]
    text: str
    target: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """Settings of pretraining and of fine-tuning.

    Attributes
    ----------
    base
        ``scratch``, a Hugging Face name such as ``google/flan-t5-base``, or a local folder with a T5.
    steps
        Optimizer steps; None takes ``epochs`` times the number of texts divided by ``batch_size``.
    learning_rate
        Highest rate, reached after 3 % of the run, falling linearly to a tenth of it.
    max_tokens
        Longest input in tokens; what is longer is cut at the end.
    device
        ``auto`` takes CUDA where there is one.
    precision
        ``auto`` takes bfloat16 where the processor computes with it.
    time_budget
        Seconds after which training ends, resumed runs included; the learning rate falls in time. A run that its
        time budget ends is not reproducible step by step.
    corruption_share, explain_share
        Shares of a fine-tuning batch that restore masked spans of normal texts, and that explain; the rest detects,
        half of it anomalies. A share whose examples are missing goes to the others.
    evaluate_every, patience
        Validation every so many steps; this many validations without improvement end the run.
    checkpoints
        Folder of resume points; None puts it beside the output. ``checkpoint_seconds`` apart at least.
    """

    base: str = SCRATCH
    size: ModelSize = field(default_factory=ModelSize)
    lora: Lora = field(default_factory=Lora)
    epochs: float = 10.0
    steps: int | None = None
    batch_size: int = 32
    learning_rate: float = 2e-3
    max_tokens: int = 128
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    threads: int = 2
    time_budget: float | None = None
    corruption_share: float = 0.25
    explain_share: float = 0.25
    evaluate_every: int = 100
    patience: int = 5
    checkpoints: Path | None = None
    checkpoint_seconds: float = 60.0

    def total_steps(self, texts: int) -> int:
        """Return the number of optimizer steps for a data set of this many texts."""
        return self.steps if self.steps is not None else max(1, round(self.epochs * texts / self.batch_size))


_NOT_IN_FINGERPRINT = ("checkpoints", "checkpoint_seconds", "threads")


def fingerprint(config: TrainingConfig, *data: object) -> str:
    """Return a hash of what decides the result: settings and data (JSON values). A checkpoint belongs to one."""
    settings = {key: value for key, value in asdict(config).items() if key not in _NOT_IN_FINGERPRINT}
    text = json.dumps([settings, *data], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def unique_weighted(texts: Iterable[str]) -> tuple[list[str], list[float]]:
    """Return the distinct texts in order of appearance and, as weights, the square root of how often each came."""
    counts = Counter(texts)
    return list(counts), [count**0.5 for count in counts.values()]


def check_labels(examples: Sequence[Example]) -> None:
    """Raise ValueError if a detection example has a target other than the two labels: a programming error."""
    wrong = {e.target for e in examples if e.task == "detect"} - {"normal", "anomaly"}
    if wrong:
        raise ValueError(f"detection targets must be 'normal' or 'anomaly', found {sorted(wrong)[:3]}")
