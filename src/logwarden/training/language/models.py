"""Base models: built from scratch, or loaded by name or path."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoTokenizer, T5Config, T5ForConditionalGeneration
from transformers.utils import logging as transformers_logging

from logwarden.errors import InvalidInputError
from logwarden.training.language.config import ModelSize, TrainingConfig

_log = logging.getLogger(__name__)


def device_of(config: TrainingConfig) -> torch.device:
    """Return the device to train on.

    Raises
    ------
    InvalidInputError
        If CUDA is asked for and there is none.
    """
    if config.device == "cuda" and not torch.cuda.is_available():
        raise InvalidInputError("device is 'cuda', but torch finds no CUDA device; set it to 'auto' or 'cpu'")
    return torch.device("cuda" if config.device != "cpu" and torch.cuda.is_available() else "cpu")


def use_bfloat16(config: TrainingConfig, device: torch.device) -> bool:
    """Tell whether to compute in bfloat16 (weights stay float32)."""
    if config.precision != "auto":
        return config.precision == "bfloat16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def build(size: ModelSize, vocabulary: int) -> Any:
    """Return a T5 with random weights and tied embeddings."""
    model = T5ForConditionalGeneration(
        T5Config(
            vocab_size=vocabulary,
            d_model=size.width,
            d_kv=size.head_width,
            d_ff=size.feed_forward,
            num_layers=size.encoder_layers,
            num_decoder_layers=size.decoder_layers,
            num_heads=size.heads,
            dropout_rate=size.dropout,
            feed_forward_proj="gated-gelu",
        )
    )
    model.config.decoder_start_token_id = 0
    return model


def load(base: str | Path, **options: Any) -> Any:
    """Load a T5's weights as float32 from a folder or from the Hugging Face hub.

    Raises
    ------
    InvalidInputError
        If there is no such model or it is not a T5.
    """
    _quiet()
    try:
        kind = AutoConfig.from_pretrained(base).model_type
        if kind != "t5":
            raise InvalidInputError(f"base model {base}: model type is {kind!r}, expected 't5'")
        return T5ForConditionalGeneration.from_pretrained(base, dtype=torch.float32, **options)
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"base model {base}: cannot be loaded ({str(error).splitlines()[0]})") from error


def load_base_tokenizer(base: str | Path) -> Any:
    """Load the ``tokenizers.Tokenizer`` of a base model.

    Raises
    ------
    InvalidInputError
        If there is none.
    """
    local = Path(base) / "tokenizer.json"
    if local.is_file():
        from logwarden.language.tokenizing import load_tokenizer

        return load_tokenizer(local.parent)
    try:
        return AutoTokenizer.from_pretrained(base).backend_tokenizer
    except (OSError, ValueError) as error:
        raise InvalidInputError(
            f"base model {base}: its tokenizer cannot be loaded ({str(error).splitlines()[0]})"
        ) from error


def save(model: Any, folder: Path) -> None:
    """Save weights in their precision."""
    _quiet()
    model.save_pretrained(folder)


def save_half(model: Any, folder: Path) -> None:
    """Save weights as float16 (half the size; they are read back as float32)."""
    save(model.to(torch.float16), folder)


def _quiet() -> None:
    """Keep bars over files, and the remark that a T5 1.1 has untied embeddings, away from the user."""
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
