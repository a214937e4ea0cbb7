"""The training loop that pretraining and fine-tuning share.

Everything random in a step is drawn from the seed and the step's number, so that a resumed run needs no random state
and goes on exactly as an undisturbed one (bit for bit on one CPU).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from logwarden.errors import InvalidInputError
from logwarden.training.language import ranks
from logwarden.training.language.checkpoint import Checkpoint
from logwarden.training.language.config import TrainingConfig
from logwarden.training.language.corruption import Pair
from logwarden.training.language.models import device_of, use_bfloat16
from logwarden.training.language.progress import RunProgress

_log = logging.getLogger(__name__)

_WARM_UP = 0.03
_FINAL_RATE = 0.1
_CLIP = 1.0
_POOL = 8
"""Steps whose examples are drawn together and sorted by length, so that a batch has little padding."""

Draw = Callable[[np.random.Generator, int], list[Pair]]
"""Draws so many training pairs."""

Losses = Callable[[Sequence[Pair]], "np.ndarray[Any, Any]"]
"""Gives the mean loss per target token of each pair."""

Evaluate = Callable[[Losses], dict[str, float]]


@dataclass(slots=True)
class RunState:
    """Where a run stands.

    ``best`` holds the trainable tensors of the best validation; ``history`` one entry per validation.
    """

    step: int = 0
    elapsed: float = 0.0
    tokens: int = 0
    best_loss: float = float("inf")
    best: dict[str, torch.Tensor] | None = None
    worse: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


class Trainer:
    """Trains the parameters of a T5 that require gradients."""

    def __init__(self, model: Any, config: TrainingConfig, pad_id: int, steps: int, checkpoint: Checkpoint) -> None:
        _check_shares(config)
        torch.set_num_threads(config.threads)
        self._device = device_of(config)
        self._model = model.to(self._device)
        self._network = ranks.averaging(self._model)
        self._config = config
        self._pad_id = pad_id
        self._steps = steps
        self._checkpoint = checkpoint
        self._bfloat16 = use_bfloat16(config, self._device)
        self._trained = {name: value for name, value in model.named_parameters() if value.requires_grad}
        self._optimizer = torch.optim.AdamW(self._trained.values(), lr=config.learning_rate, weight_decay=0.01)
        self._state = RunState()
        self._pool: tuple[int, list[list[Pair]]] = (-1, [])

    def run(self, label: str, draw: Draw, evaluate: Evaluate | None = None) -> RunState:
        """Train until the steps, the time budget or the patience is used up; leave the best weights in the model."""
        self._resume()
        state = self._state
        with RunProgress(label, self._done()) as progress:
            while self._done() < 1.0 and state.worse < self._config.patience:
                started = time.monotonic()
                batch = self._batch(draw)
                loss = self._step(batch)
                state.step += 1
                if evaluate and (state.step % self._config.evaluate_every == 0 or state.step == self._steps):
                    self._validate(evaluate)
                state.elapsed += time.monotonic() - started
                progress.update(self._done(), len(batch), loss)
                if self._checkpoint.due and ranks.rank() == 0:
                    self._save()
        if evaluate and state.best is None:
            self._validate(evaluate)
        self._restore_best()
        return state

    def _done(self) -> float:
        budget = self._config.time_budget
        spent = self._state.elapsed / budget if budget else 0.0
        return min(1.0, max(self._state.step / self._steps, spent))

    def _batch(self, draw: Draw) -> list[Pair]:
        number, place = divmod(self._state.step, _POOL)
        if self._pool[0] != number:
            rng = np.random.default_rng([self._config.seed, number])
            pairs = sorted(draw(rng, _POOL * self._config.batch_size), key=lambda pair: sum(map(len, pair)))
            size = self._config.batch_size
            order = rng.permutation(_POOL).tolist()
            self._pool = (number, [pairs[at * size : (at + 1) * size] for at in order])
        return self._pool[1][place]

    def _step(self, batch: Sequence[Pair]) -> float:
        # Each process drops out other units.
        torch.manual_seed(self._config.seed * 1_000_003 + self._state.step + (ranks.rank() << 52))
        self._model.train()
        for group in self._optimizer.param_groups:
            group["lr"] = self._config.learning_rate * _schedule(self._done())
        own = ranks.share(batch)
        loss = self._losses(self._network, own).mean()
        # The mean over the processes is that of the batch, also where one has a pair more than another.
        (loss * (len(own) * ranks.size() / len(batch))).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._trained.values(), _CLIP)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self._state.tokens += sum(len(source) + len(target) for source, target in batch)
        return float(loss.detach())

    def _losses(self, network: Any, batch: Sequence[Pair]) -> torch.Tensor:
        """Return the mean loss per target token of each pair, shape (batch,)."""
        source = self._tensor([pair[0] for pair in batch], self._pad_id)
        labels = self._tensor([pair[1] for pair in batch], -100)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._bfloat16):
            attention = (source != self._pad_id).long()
            decoder_ids = self._model._shift_right(labels)
            logits = network(input_ids=source, attention_mask=attention, decoder_input_ids=decoder_ids).logits
        losses = functional.cross_entropy(logits.float().transpose(1, 2), labels, reduction="none")
        return losses.sum(1) / (labels != -100).sum(1).clamp(min=1)

    def _tensor(self, rows: Sequence[Sequence[int]], fill: int) -> torch.Tensor:
        values = np.full((len(rows), max(map(len, rows))), fill, dtype=np.int64)
        for place, row in enumerate(rows):
            values[place, : len(row)] = row
        return torch.from_numpy(values).to(self._device)

    def _validate(self, evaluate: Evaluate) -> None:
        self._model.eval()
        metrics = ranks.on_rank_zero(lambda: evaluate(self._evaluate_pairs))
        state = self._state
        state.history.append({"step": state.step, **metrics})
        _log.info("validation at step %d: %s", state.step, ", ".join(f"{k} {v:.4f}" for k, v in metrics.items()))
        if metrics["loss"] < state.best_loss:
            state.best_loss, state.worse = metrics["loss"], 0
            state.best = {name: value.detach().clone() for name, value in self._trained.items()}
        else:
            state.worse += 1

    def _evaluate_pairs(self, pairs: Sequence[Pair]) -> np.ndarray[Any, Any]:
        """Return the loss of each pair, in order."""
        order = sorted(range(len(pairs)), key=lambda index: sum(map(len, pairs[index])))
        losses = np.empty(len(pairs), dtype=np.float32)
        with torch.no_grad():
            for start in range(0, len(order), self._config.batch_size):
                chosen = order[start : start + self._config.batch_size]
                losses[chosen] = self._losses(self._model, [pairs[index] for index in chosen]).cpu().numpy()
        return losses

    def _restore_best(self) -> None:
        if self._state.best is None:
            return
        with torch.no_grad():
            for name, value in self._state.best.items():
                self._trained[name].copy_(value)

    def _save(self) -> None:
        state = self._state
        self._checkpoint.save(
            {
                "model": {name: value.detach() for name, value in self._trained.items()},
                "optimizer": self._optimizer.state_dict(),
                "step": state.step,
                "elapsed": state.elapsed,
                "tokens": state.tokens,
                "best_loss": state.best_loss,
                "best": state.best,
                "worse": state.worse,
                "history": state.history,
            }
        )

    def _resume(self) -> None:
        saved = ranks.on_rank_zero(self._checkpoint.load)
        if saved is None:
            return
        with torch.no_grad():
            for name, value in saved.pop("model").items():
                self._trained[name].copy_(value)
        self._optimizer.load_state_dict(saved.pop("optimizer"))
        self._state = RunState(**saved)
        _log.info("resuming at step %d of %d", self._state.step, self._steps)


def _check_shares(config: TrainingConfig) -> None:
    """Refuse settings that several processes cannot share: the clock of each would end a time budget elsewhere."""
    if ranks.size() > config.batch_size:
        raise InvalidInputError(
            f"batch size: found {config.batch_size}, but {ranks.size()} processes share each batch: "
            "every one needs at least one text"
        )
    if ranks.size() > 1 and config.time_budget is not None:
        raise InvalidInputError("time_budget: is for one process only; set steps or epochs")


def _schedule(done: float) -> float:
    """Return the share of the learning rate at this share of the run: up to 1, then linearly down."""
    if done < _WARM_UP:
        return max(0.01, done / _WARM_UP)
    return 1.0 - (1.0 - _FINAL_RATE) * (done - _WARM_UP) / (1.0 - _WARM_UP)
