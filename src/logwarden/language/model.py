"""Scores and sentences from a T5, whatever computes its tensors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from logwarden.language.batching import batches, pad
from logwarden.language.formulation import DETECT, Formulation
from logwarden.language.spans import Span, complementary, mask
from logwarden.language.tokenizing import Tokens, load_tokenizer, readable, token_ids, tokens

Ids = NDArray[np.int64]

_POSITIONS = 768
"""Token positions of a batch: enough to keep the processor busy, few enough for its caches."""

_REMEMBERED = 8192
"""Cut inputs whose answer is remembered, 0.5 KB each."""

_LOGITS = 2_000_000
"""Logits held at once (8 MB), which bounds the decoder's positions of a batch by the size of the vocabulary."""


class Network(Protocol):
    """The tensors of an encoder-decoder model. What ``encode`` returns is for ``decode`` only."""

    def encode(self, ids: Ids, mask: Ids) -> Any:
        """Read token ids of shape (batch, length); ``mask`` is 0 at padding."""
        ...

    def decode(self, hidden: Any, mask: Ids, decoder_ids: Ids) -> NDArray[np.float32]:
        """Return logits of shape (batch, decoder length, vocabulary); ``mask`` is the encoder's."""
        ...


class _Pass(NamedTuple):
    """One masking of one text."""

    text: int
    hidden: list[Span]
    source: list[int]
    target: list[int]


class LanguageModel:
    """A fine-tuned T5 that judges, weighs and explains log text.

    The score of a text depends on nothing but the text: neither on its batch nor on the number of threads.
    """

    def __init__(self, network: Network, tokenizer: Any, formulation: Formulation) -> None:
        self.formulation = formulation
        self._network = network
        self._tokenizer = tokenizer
        # Long texts that differ only behind the cut are one input.
        self._cut: dict[bytes, float] = {}

    @classmethod
    def load(cls, folder: Path, threads: int = 1, device: str | None = None) -> LanguageModel:
        """Load a folder with tokenizer.json and language.json.

        Parameters
        ----------
        folder
            Also holds encoder.onnx and decoder.onnx, or for a ``device`` config.json and model.safetensors.
        threads
            Of onnxruntime.
        device
            ``cpu`` or ``cuda`` to compute with torch there; None to compute with onnxruntime on the CPU.

        Raises
        ------
        InvalidInputError
            If a file is missing or damaged, or there is no such device.
        """
        formulation = Formulation.load(folder)
        return cls(_network(folder, threads, device), load_tokenizer(folder), formulation)

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return P(anomaly) of each text, shape (texts,): the softmax over the two label words as the first answer."""
        rows = [self._finish(ids) for ids in token_ids(self._tokenizer, [DETECT + text for text in texts])]
        keys = [np.array(row, dtype=np.int32).tobytes() for row in rows]
        scores = {key: self._cut[key] for key in keys if key in self._cut}
        new = list({key: row for key, row in zip(keys, rows, strict=True) if key not in scores}.items())
        for chosen in batches([(len(row),) for _, row in new], _POSITIONS):
            answers = self._label_probabilities([new[index][1] for index in chosen])
            scores.update((new[index][0], answer) for index, answer in zip(chosen, answers.tolist(), strict=True))
        self._remember_cut(scores)
        return np.array([scores[key] for key in keys], dtype=np.float32)

    def losses(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the mean negative log likelihood per token (nats) of each text, shape (texts,).

        Each token is restored once from the rest of the text, see :mod:`logwarden.language.spans`. An empty text has
        the loss 0.
        """
        split = self._split(texts)
        totals = np.zeros(len(texts), dtype=np.float64)
        for item, losses in self._pass_losses(split):
            totals[item.text] += losses.sum(dtype=np.float64)
        counts = np.array([max(1, len(parts.ids)) for parts in split])
        means: NDArray[np.float32] = (totals / counts).astype(np.float32)
        return means

    def token_losses(self, text: str) -> list[tuple[str, float]]:
        """Return each word of the text with the sum of its tokens' negative log likelihoods (nats), in order."""
        (split,) = self._split([text])
        losses = np.zeros(len(split.ids), dtype=np.float64)
        for item, values in self._pass_losses([split]):
            positions = [position for start, end in item.hidden for position in range(start, end)]
            losses[positions] = values
        return _by_word(readable(text), split, losses)

    def generate(self, prompt: str, max_tokens: int = 64) -> str:
        """Return the model's greedy answer to a prompt such as ``explain: ...``, at most ``max_tokens`` tokens."""
        (row,) = token_ids(self._tokenizer, [prompt])
        ids, attention = pad([self._finish(row)], self.formulation.pad_id)
        hidden = self._network.encode(ids, attention)
        answer = [self.formulation.start_id]
        while len(answer) <= max_tokens:
            logits = self._network.decode(hidden, attention, np.array([answer], dtype=np.int64))
            token = int(logits[0, -1].argmax())
            if token == self.formulation.eos_id:
                break
            answer.append(token)
        return str(self._tokenizer.decode(answer[1:], skip_special_tokens=True)).strip()

    def _remember_cut(self, scores: dict[bytes, float]) -> None:
        if len(self._cut) >= _REMEMBERED:
            self._cut.clear()
        longest = self.formulation.max_tokens * np.dtype(np.int32).itemsize
        self._cut.update((key, score) for key, score in scores.items() if len(key) == longest)

    def _finish(self, ids: list[int]) -> list[int]:
        return [*ids[: self.formulation.max_tokens - 1], self.formulation.eos_id]

    def _label_probabilities(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        form = self.formulation
        ids, attention = pad(rows, form.pad_id)
        start = np.full((len(rows), 1), form.start_id, dtype=np.int64)
        logits = self._network.decode(self._network.encode(ids, attention), attention, start)[:, 0]
        odds = logits[:, form.normal_id] - logits[:, form.anomaly_id]
        probabilities: NDArray[np.float32] = 1.0 / (1.0 + np.exp(np.clip(odds, -80, 80)))  # exp(89) overflows
        return probabilities

    def _split(self, texts: Sequence[str]) -> list[Tokens]:
        limit = self.formulation.max_tokens - 1
        return [text.cut(limit) for text in tokens(self._tokenizer, texts)]

    def _pass_losses(self, split: Sequence[Tokens]) -> list[tuple[_Pass, NDArray[np.float32]]]:
        """Return every pass over every text with the losses of the tokens it hides."""
        passes = [item for text, parts in enumerate(split) for item in self._passes(text, parts)]
        positions = min(_POSITIONS, _LOGITS // self.formulation.vocabulary)
        results: list[tuple[_Pass, NDArray[np.float32]]] = []
        for chosen in batches([(len(item.source), len(item.target)) for item in passes], positions):
            batch = [passes[index] for index in chosen]
            results += zip(batch, self._target_losses(batch), strict=True)
        return results

    def _passes(self, text: int, split: Tokens) -> list[_Pass]:
        form = self.formulation
        passes = []
        for hidden in complementary(split.words, form.span_tokens, len(form.sentinel_ids)):
            if hidden:
                source, target = mask(split.ids, hidden, form.sentinel_ids)
                passes.append(_Pass(text, hidden, [*source, form.eos_id], target))
        return passes

    def _target_losses(self, batch: Sequence[_Pass]) -> list[NDArray[np.float32]]:
        """Return the losses of the hidden tokens of each pass; the sentinels between them do not count."""
        form = self.formulation
        ids, attention = pad([item.source for item in batch], form.pad_id)
        targets, _ = pad([item.target for item in batch], form.pad_id)
        shifted = np.roll(targets, 1, axis=1)
        shifted[:, 0] = form.start_id
        logits = self._network.decode(self._network.encode(ids, attention), attention, shifted)
        losses = _cross_entropy(logits, targets)
        return [losses[row][_restored(item.hidden)] for row, item in enumerate(batch)]


def _network(folder: Path, threads: int, device: str | None) -> Network:
    if device is None:
        from logwarden.language.onnx_network import OnnxNetwork

        return OnnxNetwork(folder, threads)
    from logwarden.language.torch_network import TorchNetwork

    return TorchNetwork(folder, device)


def _restored(hidden: Sequence[Span]) -> list[int]:
    """Return the positions of the hidden tokens in the target, which starts each span with a sentinel."""
    positions: list[int] = []
    place = 0
    for start, end in hidden:
        positions += range(place + 1, place + 1 + end - start)
        place += 1 + end - start
    return positions


def _cross_entropy(logits: NDArray[np.float32], targets: Ids) -> NDArray[np.float32]:
    top = logits.max(axis=-1)
    chosen = np.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
    losses: NDArray[np.float32] = np.log(np.exp(logits - top[..., None]).sum(axis=-1)) + top - chosen
    return losses


def _by_word(text: str, split: Tokens, losses: NDArray[np.float64]) -> list[tuple[str, float]]:
    words: list[tuple[int, int, float]] = []
    previous: int | None = None
    for word, (start, end), loss in zip(split.words, split.offsets, losses.tolist(), strict=True):
        if words and word == previous:
            first, _, total = words[-1]
            words[-1] = (first, end, total + loss)
        else:
            words.append((start, end, loss))
        previous = word
    return [(text[start:end].strip(), loss) for start, end, loss in words]
