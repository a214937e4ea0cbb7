"""Export to ONNX with 8-bit weights."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from transformers.modeling_outputs import BaseModelOutput

from logwarden.errors import InvalidInputError, LogwardenError
from logwarden.language import LanguageModel
from logwarden.language.formulation import FILE_NAME
from logwarden.training.language import models

_MOST_DIFFERENCE = 0.05
_SMALLEST = 4096
"""Weights with fewer numbers than this stay floats."""


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What came out, and how far it is from the torch model on the samples."""

    encoder_bytes: int
    decoder_bytes: int
    samples: int
    max_probability_difference: float
    max_loss_difference: float


def export(folder: Path, out: Path, samples: Sequence[str]) -> ExportReport:
    """Export a fine-tuned folder for onnxruntime and compare the two on samples.

    Weights are stored as 8-bit integers with a scale per row and computed as floats. Quantising the activations too
    (dynamic quantisation) would be up to twice as fast in large batches, but takes its scale from the whole batch:
    a text would then score differently in other company, and a repeated run would not find the same anomalies.

    Parameters
    ----------
    folder
        Result of :func:`fine_tune`.
    out
        Folder for encoder.onnx, decoder.onnx, tokenizer.json, language.json and export.json; may be ``folder``.
    samples
        Texts as the model sees them.

    Raises
    ------
    LogwardenError
        If a probability differs by more than 0.05 between the two.
    """
    if not samples:
        raise InvalidInputError("no texts to compare the export with the model; give some validation texts")
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        encoder, decoder = _export_float(folder, Path(scratch))
        _quantise(encoder, out / "encoder.onnx")
        _quantise(decoder, out / "decoder.onnx")
    if out.resolve() != folder.resolve():
        for name in ("tokenizer.json", FILE_NAME):
            shutil.copyfile(folder / name, out / name)
    report = _compare(folder, out, samples)
    (out / "export.json").write_text(json.dumps(asdict(report), indent=1) + "\n", encoding="utf-8")
    if report.max_probability_difference > _MOST_DIFFERENCE:
        raise LogwardenError(
            f"{out}: the export differs from the model by {report.max_probability_difference:.3f} in P(anomaly), "
            f"at most {_MOST_DIFFERENCE} is allowed; train longer or with another seed"
        )
    return report


class _Encoder(torch.nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.encoder = model.encoder

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        return self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state


class _Decoder(torch.nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, hidden: torch.Tensor, attention_mask: torch.Tensor, decoder_ids: torch.Tensor) -> Any:
        states = BaseModelOutput(last_hidden_state=hidden)
        return self.model(
            encoder_outputs=states, attention_mask=attention_mask, decoder_input_ids=decoder_ids, use_cache=False
        ).logits


def _export_float(folder: Path, scratch: Path) -> tuple[Path, Path]:
    # The exporter cannot follow the fused attention of the default implementation.
    model = models.load(folder, attn_implementation="eager")
    # Tensors of their own with padding in them: the exporter takes one that is passed twice for a single input.
    ids, mask = torch.ones((2, 16), dtype=torch.long), torch.ones((2, 16), dtype=torch.long)
    mask[1, 9:] = 0
    hidden = torch.zeros((2, 16, model.config.d_model))
    encoder, decoder = scratch / "encoder.onnx", scratch / "decoder.onnx"
    with _quiet():
        _export_module(_Encoder(model), {"input_ids": ids, "attention_mask": mask}, "hidden", encoder)
        inputs = {"hidden": hidden, "attention_mask": mask, "decoder_ids": ids[:, :6].clone()}
        _export_module(_Decoder(model), inputs, "logits", decoder)
    return encoder, decoder


def _export_module(module: torch.nn.Module, inputs: dict[str, torch.Tensor], output: str, path: Path) -> None:
    free = torch.export.Dim.DYNAMIC
    torch.onnx.export(
        module.eval(),
        tuple(inputs.values()),
        path,
        dynamo=True,
        external_data=False,
        input_names=list(inputs),
        output_names=[output],
        dynamic_shapes={name: {0: free, 1: free} for name in inputs},
        verbose=False,
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's remarks on each node, and on its own deprecations, away from the user."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _quantise(source: Path, target: Path) -> None:
    """Replace large float matrices by int8 with one scale per row or column, and a node that makes floats of them."""
    model = onnx.load(source)
    graph = model.graph
    for tensor in [item for item in graph.initializer if _is_large_matrix(item)]:
        axis = 0 if _is_table(graph, tensor.name) else 1
        values, scales = _to_int8(numpy_helper.to_array(tensor), axis)
        name = tensor.name
        graph.initializer.remove(tensor)
        graph.initializer.append(numpy_helper.from_array(values, f"{name}.int8"))
        graph.initializer.append(numpy_helper.from_array(scales, f"{name}.scale"))
        node = helper.make_node("DequantizeLinear", [f"{name}.int8", f"{name}.scale"], [name], axis=axis)
        graph.node.insert(0, node)
    _forget_origin(model)
    # Written whole or not at all, because the folder may already be in use.
    temporary = target.with_suffix(".tmp")
    onnx.save(model, temporary)
    temporary.replace(target)


def _forget_origin(model: Any) -> None:
    """Remove the exporter's notes on every node: call stacks with this machine's paths, a fifth of the file."""
    graph = model.graph
    for item in (model, graph, *graph.node, *graph.initializer, *graph.value_info, *graph.input, *graph.output):
        item.doc_string = ""
        del item.metadata_props[:]


def _is_large_matrix(tensor: Any) -> bool:
    return tensor.data_type == TensorProto.FLOAT and len(tensor.dims) == 2 and np.prod(tensor.dims) >= _SMALLEST


def _is_table(graph: Any, name: str) -> bool:
    """Tell whether a tensor is an embedding: its rows, not its columns, are the outputs."""
    return any(node.op_type in ("Gather", "Transpose") and name in node.input for node in graph.node)


def _to_int8(values: np.ndarray[Any, Any], axis: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    largest = np.abs(values).max(axis=1 - axis)
    scales = np.where(largest > 0, largest / 127, 1.0).astype(np.float32)
    rounded = np.rint(values / np.expand_dims(scales, 1 - axis)).astype(np.int8)
    return rounded, scales


def _compare(folder: Path, out: Path, samples: Sequence[str]) -> ExportReport:
    exported, reference = LanguageModel.load(out, threads=2), LanguageModel.load(folder, device="cpu")
    probabilities = np.abs(exported.probabilities(samples) - reference.probabilities(samples))
    losses = np.abs(exported.losses(samples) - reference.losses(samples))
    return ExportReport(
        encoder_bytes=(out / "encoder.onnx").stat().st_size,
        decoder_bytes=(out / "decoder.onnx").stat().st_size,
        samples=len(samples),
        max_probability_difference=float(probabilities.max()),
        max_loss_difference=float(losses.max()),
    )
