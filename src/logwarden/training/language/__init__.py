"""Training of the language model: tokenizer, pretraining, LoRA fine-tuning and export.

torch and transformers take seconds to import, so the functions that need them are loaded when first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from logwarden.training.language.config import Example, Lora, ModelSize, TrainingConfig, unique_weighted

if TYPE_CHECKING:
    from logwarden.training.language.exporting import ExportReport, export
    from logwarden.training.language.pretraining import pretrain
    from logwarden.training.language.tokenizer import train_tokenizer
    from logwarden.training.language.tuning import fine_tune

__all__ = [
    "Example",
    "ExportReport",
    "Lora",
    "ModelSize",
    "TrainingConfig",
    "export",
    "fine_tune",
    "pretrain",
    "train_tokenizer",
    "unique_weighted",
]

_LATE = {
    "ExportReport": "exporting",
    "export": "exporting",
    "fine_tune": "tuning",
    "pretrain": "pretraining",
    "train_tokenizer": "tokenizer",
}


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATE[name]}"), name)
