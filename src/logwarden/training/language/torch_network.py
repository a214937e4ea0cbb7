"""The model's tensors computed by torch, for CUDA and for comparison with the export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers.modeling_outputs import BaseModelOutput

from logwarden.language.formulation import Formulation
from logwarden.language.model import LanguageModel
from logwarden.language.tokenizing import load_tokenizer
from logwarden.training.language import models

Ids = NDArray[np.int64]


class TorchNetwork:
    """A T5 on a torch device, float32."""

    def __init__(self, model: Any, device: torch.device) -> None:
        self._model = model.to(device).eval()
        self._device = device

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


def load_torch(folder: Path, device: str = "auto") -> LanguageModel:
    """Load a fine-tuned folder (merged weights) for torch; ``device`` is ``auto``, ``cpu`` or ``cuda``.

    Raises
    ------
    InvalidInputError
        If the folder is not a fine-tuned model.
    """
    chosen = "cuda" if device == "auto" and torch.cuda.is_available() else device.replace("auto", "cpu")
    form = Formulation.load(folder)
    network = TorchNetwork(models.load(folder), torch.device(chosen))
    return LanguageModel(network, load_tokenizer(folder), form)
