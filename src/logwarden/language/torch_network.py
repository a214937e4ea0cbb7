"""The model's tensors computed by torch from the merged weights: for GPUs, and to compare the export with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import T5ForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutput
from transformers.utils import logging as transformers_logging

from logwarden.errors import InvalidInputError

Ids = NDArray[np.int64]


class TorchNetwork:
    """The T5 of a folder with config.json and model.safetensors: float32 on a CPU, bfloat16 on CUDA.

    Raises
    ------
    InvalidInputError
        If there is no such device, or the folder holds no weights.
    """

    def __init__(self, folder: Path, device: str) -> None:
        if device == "cuda" and not torch.cuda.is_available():
            raise InvalidInputError("device is 'cuda', but torch finds no CUDA device; choose 'cpu'")
        self._device = torch.device(device)
        precision = torch.bfloat16 if device == "cuda" else torch.float32
        self._model: Any = _weights(folder, precision).to(self._device).eval()

    def encode(self, ids: Ids, mask: Ids) -> Any:
        """Return hidden states, a tensor of shape (batch, length, width)."""
        with torch.inference_mode():
            return self._model.encoder(input_ids=self._tensor(ids), attention_mask=self._tensor(mask)).last_hidden_state

    def decode(self, hidden: Any, mask: Ids, decoder_ids: Ids) -> NDArray[np.float32]:
        """Return logits, float32 of shape (batch, decoder length, vocabulary)."""
        with torch.inference_mode():
            answer = self._model(
                encoder_outputs=BaseModelOutput(last_hidden_state=hidden),
                attention_mask=self._tensor(mask),
                decoder_input_ids=self._tensor(decoder_ids),
                use_cache=False,
            )
        logits: NDArray[np.float32] = answer.logits.float().cpu().numpy()
        return logits

    def _tensor(self, values: Ids) -> torch.Tensor:
        return torch.from_numpy(values).to(self._device)


def _weights(folder: Path, precision: torch.dtype) -> Any:
    # No bar over files, and no remark that a T5 1.1 has untied embeddings.
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        return T5ForConditionalGeneration.from_pretrained(folder, dtype=precision, local_files_only=True)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InvalidInputError(f"{folder}: its weights cannot be loaded ({reason}); train the model again") from error
