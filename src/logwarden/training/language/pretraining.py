"""Pretraining: span corruption, and where there are any, the tasks of fine-tuning beside it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from logwarden.errors import InvalidInputError
from logwarden.language.formulation import Formulation
from logwarden.language.tokenizing import Tokens, tokens
from logwarden.training.language import folders, models, ranks
from logwarden.training.language.checkpoint import Checkpoint
from logwarden.training.language.config import SCRATCH, Example, TrainingConfig, fingerprint
from logwarden.training.language.corruption import Pair, corrupt
from logwarden.training.language.explaining import explanation_pairs
from logwarden.training.language.loop import Draw, Evaluate, Losses, Trainer
from logwarden.training.language.tokenizer import formulation, train_tokenizer

_log = logging.getLogger(__name__)

_HELD_OUT_EVERY = 50
_HELD_OUT_AT_MOST = 256


def pretrain(
    corpus: Sequence[str],
    weights: Sequence[float],
    config: TrainingConfig,
    out: Path,
    *,
    words: Sequence[str] = (),
    explanations: Sequence[Example] = (),
) -> Path:
    """Train all weights of a T5 to restore masked spans of log text, and to write explanations.

    Writing is learnt here and not by adapters alone, which a model this small would need most of its weights for; T5
    was itself pretrained on a mixture of span corruption and tasks (Raffel et al. 2020, section 3.5.3).

    Parameters
    ----------
    corpus
        Distinct texts as the model will see them, masked.
    weights
        How often each is drawn, relative to the others, see :func:`unique_weighted`.
    config
        With base ``scratch`` a tokenizer is learnt and a model built, else that model is trained on. Explanations make
        up ``explain_share`` of the examples.
    out
        Folder to write: config.json, model.safetensors (float32), tokenizer.json, language.json, training.json. Left
        as it is when it already holds the result of the same settings and data.
    words
        Mask words and slots, one token each.
    explanations
        Examples of the task ``explain``.

    Returns
    -------
    Path
        ``out``.

    Raises
    ------
    InvalidInputError
        If the corpus is too small or the base model cannot be used.
    """
    if len(corpus) != len(weights):
        raise ValueError(f"{len(corpus)} texts with {len(weights)} weights")
    if not corpus:
        raise InvalidInputError("no text to pretrain on; give at least some hundred distinct log lines")
    pairs = [[e.text, e.target] for e in explanations]
    identity = folders.identity(config.base)
    print_ = fingerprint(config, "pretrain", list(corpus), list(weights), list(words), pairs, identity)
    if folders.finished(out, print_):
        _log.info("%s: already trained with these settings and data", out)
        return out
    model, tokenizer, form = _start([*corpus, *(text for pair in pairs for text in pair)], config, words)
    checkpoint = Checkpoint(folders.checkpoint_folder(config, out, print_), config.checkpoint_seconds)
    trainer = Trainer(model, config, form.pad_id, config.total_steps(len(corpus)), checkpoint)
    texts = [text.cut(form.max_tokens - 1) for text in tokens(tokenizer, corpus)]
    written = explanation_pairs(tokenizer, form, explanations)
    share = config.explain_share if written else 0.0
    draw, evaluate = _objective(_Texts(texts, np.asarray(weights, dtype=float)), written, share, form)
    state = trainer.run("pretraining", draw, evaluate)

    def write() -> None:
        with folders.replaced(out) as folder:
            folders.write_report(folder, print_, config.base, config, state, model)
            models.save(model, folder)
            tokenizer.save(str(folder / "tokenizer.json"))
            form.save(folder)
        checkpoint.remove()

    ranks.on_rank_zero(write)
    return out


def _start(corpus: Sequence[str], config: TrainingConfig, words: Sequence[str]) -> tuple[Any, Any, Formulation]:
    if config.base != SCRATCH:
        model, tokenizer = models.load(config.base), models.load_base_tokenizer(config.base)
    else:
        tokenizer = train_tokenizer(corpus, config.size.vocabulary, words)
        tokenizer.encode_special_tokens = True
        torch.manual_seed(config.seed)
        model = models.build(config.size, tokenizer.get_vocab_size())
    start = model.config.decoder_start_token_id
    return model, tokenizer, formulation(tokenizer, config.max_tokens, model.config.vocab_size, start)


class _Texts(NamedTuple):
    texts: list[Tokens]
    weights: np.ndarray[Any, Any]


def _objective(
    corpus: _Texts, written: Sequence[Pair], share: float, form: Formulation
) -> tuple[Draw, Evaluate | None]:
    """Return how to draw pairs and how to evaluate on those held out; ``share`` of the drawn ones are written texts."""
    texts, shares = corpus.texts, corpus.weights.copy()
    held_out = range(0, len(texts), _HELD_OUT_EVERY) if len(texts) >= 4 * _HELD_OUT_EVERY else range(0)
    shares[held_out] = 0.0
    shares /= shares.sum()
    held_back = min(len(written) // _HELD_OUT_EVERY, _HELD_OUT_AT_MOST)
    taught = written[held_back:]

    def draw(rng: np.random.Generator, count: int) -> list[Pair]:
        explained = int(rng.binomial(count, share))
        pairs = [corrupt(texts[index], form, rng) for index in rng.choice(len(texts), count - explained, p=shares)]
        return pairs + [taught[index] for index in rng.integers(len(taught), size=explained)] if explained else pairs

    if not held_out:
        return draw, None
    rng = np.random.default_rng(0)
    restored = [corrupt(texts[index], form, rng) for index in list(held_out)[:_HELD_OUT_AT_MOST]]

    def evaluate(losses: Losses) -> dict[str, float]:
        corruption = float(losses(restored).mean())
        if not held_back:
            return {"loss": corruption}
        explain = float(losses(written[:held_back]).mean())
        return {"loss": (1 - share) * corruption + share * explain, "corruption": corruption, "explain": explain}

    return draw, evaluate
