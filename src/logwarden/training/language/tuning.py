"""LoRA fine-tuning: text to text, for detection and explanation."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import save_file

from logwarden.errors import InvalidInputError
from logwarden.language.formulation import ANOMALY, DETECT, NORMAL, Formulation
from logwarden.language.tokenizing import Tokens, token_ids, tokens
from logwarden.training.language import folders, models, ranks
from logwarden.training.language.checkpoint import Checkpoint
from logwarden.training.language.config import Example, TrainingConfig, check_labels, fingerprint
from logwarden.training.language.corruption import Pair, corrupt
from logwarden.training.language.explaining import explanation_pairs
from logwarden.training.language.loop import Losses, Trainer
from logwarden.training.language.tokenizer import formulation

_log = logging.getLogger(__name__)

_VALIDATION_AT_MOST = 300
"""Examples of each kind that a validation looks at."""


def fine_tune(
    base: str | Path, examples: Sequence[Example], validation: Sequence[Example], config: TrainingConfig, out: Path
) -> Path:
    """Tune a T5 with LoRA adapters on every linear layer.

    Each batch mixes detection (normal and anomalous texts in equal numbers, whatever their ratio in the data),
    explanation, and restoring masked spans of normal texts, so that the loss of a text stays meaningful. Without
    anomalies among the examples the model learns from the normal texts alone.

    Parameters
    ----------
    base
        Folder or Hugging Face name of a T5.
    examples, validation
        Training pairs; the validation pairs (may be none) decide when to stop and which weights are kept.
    config
        See :class:`TrainingConfig`; its ``base`` is not looked at here.
    out
        Folder to write: adapter/ (float16), config.json and model.safetensors (merged weights, float16),
        tokenizer.json, language.json, training.json. Left as it is when it already holds the result of the same
        settings and data.

    Returns
    -------
    Path
        ``out``.

    Raises
    ------
    InvalidInputError
        If there is no normal text, or the base model cannot be used.
    """
    check_labels([*examples, *validation])
    data = [[e.task, e.text, e.target, e.weight] for e in (*examples, *validation)]
    print_ = fingerprint(config, "fine_tune", len(examples), data, folders.identity(base))
    if folders.finished(out, print_):
        _log.info("%s: already trained with these settings and data", out)
        return out
    plain, tokenizer = models.load(base), models.load_base_tokenizer(base)
    tokenizer.encode_special_tokens = True
    start = plain.config.decoder_start_token_id
    form = formulation(tokenizer, config.max_tokens, plain.config.vocab_size, start)
    mixture = _Mixture(tokenizer, form, examples, config)
    model = _with_adapters(plain, config)
    checkpoint = Checkpoint(folders.checkpoint_folder(config, out, print_), config.checkpoint_seconds)
    trainer = Trainer(model, config, form.pad_id, config.total_steps(len(examples)), checkpoint)
    evaluate = _Validation(tokenizer, form, validation, config) if validation else None
    state = trainer.run("fine-tuning", mixture.draw, evaluate)

    def write() -> None:
        with folders.replaced(out) as folder:
            folders.write_report(folder, print_, base, config, state, model)
            _save(model, folders.public_name(base), folder)
            tokenizer.save(str(folder / "tokenizer.json"))
            form.save(folder)
        checkpoint.remove()

    ranks.on_rank_zero(write)
    return out


def _with_adapters(model: Any, config: TrainingConfig) -> Any:
    torch.manual_seed(config.seed)
    target = config.lora.target_modules
    # No modules_to_save: training a copy of lm_head would untie it from the embeddings when adapters are merged.
    settings = LoraConfig(
        task_type="SEQ_2_SEQ_LM",
        r=config.lora.rank,
        lora_alpha=config.lora.alpha,
        lora_dropout=config.lora.dropout,
        target_modules=target if isinstance(target, str) else list(target),
    )
    with warnings.catch_warnings():
        # peft asks transformers for a property by its old name.
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        return get_peft_model(model, settings)


def _save(model: Any, base_name: str, folder: Path) -> None:
    model = model.cpu()
    adapter = folder / "adapter"
    weights = {name: value.to(torch.float16).contiguous() for name, value in get_peft_model_state_dict(model).items()}
    settings = model.peft_config["default"]
    settings.base_model_name_or_path = base_name
    settings.inference_mode = True
    settings.save_pretrained(adapter)
    save_file(weights, adapter / "adapter_model.safetensors", metadata={"format": "pt"})
    with warnings.catch_warnings():
        # Flan-T5 and other T5 1.1 models come with untied embeddings, which is not news here.
        warnings.filterwarnings("ignore", "Input and output embeddings are no longer tied", UserWarning)
        merged = model.merge_and_unload()
    models.save_half(merged, folder)


Make = Callable[[np.random.Generator], Pair]


class _Kind:
    """Examples of one kind: how to make a training pair of each, and how often each is drawn."""

    def __init__(self, makes: list[Make], weights: Sequence[float]) -> None:
        self.makes = makes
        self._shares = np.asarray(weights, dtype=float) / sum(weights)

    def draw(self, rng: np.random.Generator, count: int) -> list[Pair]:
        return [self.makes[index](rng) for index in rng.choice(len(self.makes), count, p=self._shares).tolist()]

    def some(self, count: int) -> list[Pair]:
        """Return up to ``count`` pairs, always the same."""
        rng = np.random.default_rng(0)
        chosen = rng.permutation(len(self.makes))[:count]
        return [self.makes[index](rng) for index in chosen.tolist()]


class _Mixture:
    """The kinds of a fine-tuning data set and their shares of a batch."""

    def __init__(self, tokenizer: Any, form: Formulation, examples: Sequence[Example], config: TrainingConfig) -> None:
        wanted = _shares(config)
        kinds = _kinds(tokenizer, form, examples)
        if "corruption" not in kinds:
            raise InvalidInputError("no normal text among the training examples; the model learns what is normal")
        self._kinds = list(kinds.values())
        total = sum(wanted[name] for name in kinds)
        if total == 0:
            raise InvalidInputError("corruption_share is 0 and there is nothing else to learn; raise it")
        self._shares = [wanted[name] / total for name in kinds]

    def draw(self, rng: np.random.Generator, count: int) -> list[Pair]:
        counts = rng.multinomial(count, self._shares).tolist()
        return [pair for kind, number in zip(self._kinds, counts, strict=True) for pair in kind.draw(rng, number)]


class _Validation:
    """Losses on the validation examples, weighted as in training, and how well the two labels are told apart."""

    def __init__(self, tokenizer: Any, form: Formulation, examples: Sequence[Example], config: TrainingConfig) -> None:
        self._form = form
        self._shares = _shares(config)
        kinds = _kinds(tokenizer, form, examples)
        self._pairs = {name: kind.some(_VALIDATION_AT_MOST) for name, kind in kinds.items()}
        if not self._pairs:
            raise InvalidInputError("the validation examples hold neither normal texts nor explanations")

    def __call__(self, losses: Losses) -> dict[str, float]:
        metrics: dict[str, float] = {}
        odds = {name: self._odds(losses, self._pairs[name]) for name in (NORMAL, ANOMALY) if name in self._pairs}
        for name, pairs in self._pairs.items():
            metrics[name] = _label_loss(odds[name], name) if name in odds else float(losses(pairs).mean())
        total = sum(self._shares[name] for name in metrics) or 1.0
        loss = sum(self._shares[name] * value for name, value in metrics.items()) / total
        if len(odds) == 2:
            metrics["auc"] = _auc(odds[NORMAL], odds[ANOMALY])
        return {"loss": loss, **metrics}

    def _odds(self, losses: Losses, pairs: Sequence[Pair]) -> np.ndarray[Any, Any]:
        """Return the log odds of the anomaly label for each input."""
        as_normal = losses([(source, [self._form.normal_id]) for source, _ in pairs])
        as_anomaly = losses([(source, [self._form.anomaly_id]) for source, _ in pairs])
        odds: np.ndarray[Any, Any] = as_normal - as_anomaly
        return odds


def _shares(config: TrainingConfig) -> dict[str, float]:
    detection = max(0.0, 1.0 - config.corruption_share - config.explain_share)
    return {
        NORMAL: detection / 2,
        ANOMALY: detection / 2,
        "explain": config.explain_share,
        "corruption": config.corruption_share,
    }


def _kinds(tokenizer: Any, form: Formulation, examples: Sequence[Example]) -> dict[str, _Kind]:
    """Return the kinds that have examples. Detection needs both labels, or there is nothing to tell apart."""
    normal = [e for e in examples if e.task == "detect" and e.target == NORMAL]
    anomalous = [e for e in examples if e.task == "detect" and e.target == ANOMALY]
    explained = [e for e in examples if e.task == "explain"]
    kinds: dict[str, _Kind] = {}
    if normal and anomalous:
        kinds[NORMAL] = _Kind(_detection(tokenizer, form, normal, form.normal_id), _weights(normal))
        kinds[ANOMALY] = _Kind(_detection(tokenizer, form, anomalous, form.anomaly_id), _weights(anomalous))
    if explained:
        kinds["explain"] = _Kind(
            [_fixed(*pair) for pair in explanation_pairs(tokenizer, form, explained)], _weights(explained)
        )
    if normal:
        kinds["corruption"] = _Kind(_corruption(tokenizer, form, normal), _weights(normal))
    return kinds


def _weights(examples: Sequence[Example]) -> list[float]:
    return [e.weight for e in examples]


def _fixed(source: list[int], target: list[int]) -> Make:
    pair = (source, target)
    return lambda rng: pair


def _detection(tokenizer: Any, form: Formulation, examples: Sequence[Example], label: int) -> list[Make]:
    sources = token_ids(tokenizer, [DETECT + e.text for e in examples])
    return [_fixed([*ids[: form.max_tokens - 1], form.eos_id], [label]) for ids in sources]


def _corruption(tokenizer: Any, form: Formulation, examples: Sequence[Example]) -> list[Make]:
    texts = tokens(tokenizer, [e.text for e in examples])
    return [_corrupted(text.cut(form.max_tokens - 1), form) for text in texts]


def _corrupted(text: Tokens, form: Formulation) -> Make:
    return lambda rng: corrupt(text, form, rng)


def _label_loss(odds: np.ndarray[Any, Any], label: str) -> float:
    signed = -odds if label == ANOMALY else odds
    return float(np.logaddexp(0.0, signed).mean())


def _auc(normal: np.ndarray[Any, Any], anomalous: np.ndarray[Any, Any]) -> float:
    """Return the share of (anomalous, normal) pairs in the right order."""
    return float((anomalous[:, None] > normal[None, :]).mean() + 0.5 * (anomalous[:, None] == normal[None, :]).mean())
