"""The model's tensors on the CPU, computed by onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from logwarden.errors import InvalidInputError

Ids = NDArray[np.int64]


class OnnxNetwork:
    """Encoder and decoder of an exported folder."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        options = _options(threads)
        self._encoder = _session(folder / "encoder.onnx", options)
        self._decoder = _session(folder / "decoder.onnx", options)

    def encode(self, ids: Ids, mask: Ids) -> Any:
        """Return hidden states, float32 of shape (batch, length, width)."""
        return self._encoder.run(None, {"input_ids": ids, "attention_mask": mask})[0]

    def decode(self, hidden: Any, mask: Ids, decoder_ids: Ids) -> NDArray[np.float32]:
        """Return logits, float32 of shape (batch, decoder length, vocabulary)."""
        inputs = {"hidden": hidden, "attention_mask": mask, "decoder_ids": decoder_ids}
        logits: NDArray[np.float32] = self._decoder.run(None, inputs)[0]
        return logits


def _options(threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # The arena and the memory patterns keep one buffer set per input shape for good; plain allocation costs a few
    # percent and keeps the process small.
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    # Weights are stored as 8-bit integers. This lets onnxruntime turn them into floats once, when it loads them,
    # instead of at every call.
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _session(path: Path, options: Any) -> Any:
    if not path.is_file():
        raise InvalidInputError(f"{path} not found; export the model again, or check the folder's name")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a dozen exception classes without a common public base
        reason = str(error).splitlines()[0]
        raise InvalidInputError(f"{path}: onnxruntime cannot load it ({reason}); export the model again") from error
