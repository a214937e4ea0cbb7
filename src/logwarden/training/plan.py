"""What to train, on what, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from logwarden.datasets import Dataset, Recording, together
from logwarden.training.language import TrainingConfig
from logwarden.units import UnitConfig


@dataclass(frozen=True, slots=True)
class Threshold:
    """How the threshold is found, see :func:`logwarden.training.fitting.choose`."""

    method: str = "auto"
    quantile: float = 0.999
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """How to train.

    Attributes
    ----------
    name
        Name of the AnomalyModel that the revision is for.
    base
        ``scratch``, ``builtin``, a Hugging Face name, or a folder or URI with a T5 or a model revision.
    mode
        ``Supervised`` learns from labels; ``SemiSupervised`` learns what is normal from what no fault can have
        touched, and uses labels only to set the threshold.
    pretraining, tuning
        Settings of the language model; ``pretraining`` is used with base ``scratch`` only. With ``tuning.steps`` 0 the
        base, a model revision, is used as it is: only templates, channels and threshold are fitted.
    work
        Folder for what a rerun can use again: checkpoints and finished steps, keyed by their inputs.
    """

    name: str
    base: str
    work: Path
    unit: UnitConfig = field(default_factory=UnitConfig)
    mode: Literal["SemiSupervised", "Supervised"] = "Supervised"
    pretraining: TrainingConfig = field(default_factory=TrainingConfig)
    tuning: TrainingConfig = field(default_factory=TrainingConfig)
    threshold: Threshold = field(default_factory=Threshold)


@dataclass(frozen=True, slots=True)
class Parts:
    """The recordings of each part of all data sets: training comes before validation, and that before testing."""

    datasets: Sequence[Dataset]

    @property
    def train(self) -> list[Recording]:
        """What templates, language model and channels learn from."""
        return together(self.datasets, "train")

    @property
    def validation(self) -> list[Recording]:
        """What calibration, weights and threshold come from."""
        return together(self.datasets, "validation")

    @property
    def test(self) -> list[Recording]:
        """What metrics come from."""
        return together(self.datasets, "test")
