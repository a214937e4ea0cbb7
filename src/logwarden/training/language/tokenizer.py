"""A tokenizer of our own, learnt from log text.

SentencePiece learns the pieces (unigram model, Kudo 2018); the result is written as a ``tokenizers`` JSON, which is
all that serving needs. Characters it has never seen become bytes, so no text is unknown.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from math import log
from typing import Any

import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from logwarden.errors import InvalidInputError
from logwarden.language.formulation import ANOMALY, DETECT, EXPLAIN, NORMAL, Formulation

SENTINELS = 64
_PAD, _EOS, _UNKNOWN = 0, 1, 2
_SPACE = "▁"
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
_NEVER = -200.0
"""Score of pieces that must not be found in text, such as a ``</s>`` that an attacker writes into a log: far below
that of its letters one by one, all of which are pieces."""

_WORD = re.compile(r"(?<!\S)[A-Za-z]{2,}")
_FREQUENT = 4
"""Occurrences that make a word worth a piece of its own."""

_LABELS = ((NORMAL, ANOMALY), ("normal", "abnormal"), ("normal", "unusual"), ("good", "bad"), ("no", "yes"))

Piece = tuple[str, float]


def train_tokenizer(corpus: Iterable[str], vocabulary: int = 3072, words: Sequence[str] = ()) -> Any:
    """Learn a tokenizer.

    Parameters
    ----------
    corpus
        Texts as the model will see them (masked), best without duplicates.
    vocabulary
        Number of tokens at most, sentinels included. A small corpus gives fewer.
    words
        Mask words, such as ``IP``: each becomes one token wherever it occurs.

    Returns
    -------
    tokenizers.Tokenizer
        Ids 0, 1, 2 are ``<pad>``, ``</s>``, ``<unk>``; the last 64 are ``<extra_id_0>`` to ``<extra_id_63>``.
    """
    texts = list(corpus)
    whole = _whole_pieces(words)
    pieces = _with_whole(_learn(texts, vocabulary - SENTINELS - len(whole)), whole)
    return _assemble(_with_frequent(pieces, texts, vocabulary - SENTINELS))


def formulation(tokenizer: Any, max_tokens: int, vocabulary: int, start_id: int) -> Formulation:
    """Describe the formulation for any T5 tokenizer; label words are the first pair of which each is one token.

    Raises
    ------
    InvalidInputError
        If the tokenizer has no sentinels or no pair of one-token label words, so it is not a T5's.
    """
    normal, anomaly = _labels(tokenizer)
    sentinels = [tokenizer.token_to_id(f"<extra_id_{number}>") for number in range(100)]
    found = tuple(token for token in sentinels if token is not None)
    pad_id, eos_id = tokenizer.token_to_id("<pad>"), tokenizer.token_to_id("</s>")
    if not found or pad_id is None or eos_id is None:
        raise InvalidInputError("the base model's tokenizer has no <extra_id_0>, <pad> or </s>; take a T5 model")
    return Formulation(
        normal_word=normal[0],
        anomaly_word=anomaly[0],
        normal_id=normal[1],
        anomaly_id=anomaly[1],
        pad_id=pad_id,
        eos_id=eos_id,
        start_id=start_id,
        sentinel_ids=found,
        vocabulary=vocabulary,
        max_tokens=max_tokens,
    )


def _labels(tokenizer: Any) -> tuple[tuple[str, int], tuple[str, int]]:
    for pair in _LABELS:
        ids = [tokenizer.encode(word, add_special_tokens=False).ids for word in pair]
        if all(len(found) == 1 for found in ids) and ids[0] != ids[1]:
            return (pair[0], ids[0][0]), (pair[1], ids[1][0])
    raise InvalidInputError("the base model's tokenizer has no pair of one-token label words; take a T5 model")


def _whole_pieces(words: Sequence[str]) -> dict[str, float]:
    """Return pieces that must stay in one, with scores that make any other reading of the text less likely."""
    pieces = {_SPACE + prefix.strip(): 0.0 for prefix in (DETECT, EXPLAIN)}
    pieces |= {_SPACE + label: -2.0 for label in (NORMAL, ANOMALY)}
    for word in words:
        pieces |= {word: 0.0, _SPACE + word: 0.0}
    return pieces


def _learn(corpus: Iterable[str], size: int) -> list[Piece]:
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(corpus),
            model_writer=model,
            model_type="unigram",
            vocab_size=size,
            hard_vocab_limit=False,
            byte_fallback=True,
            character_coverage=0.9998,
            required_chars=_PRINTABLE,
            normalization_rule_name="identity",
            split_digits=True,
            max_sentence_length=65536,
            pad_id=_PAD,
            eos_id=_EOS,
            unk_id=_UNKNOWN,
            bos_id=-1,
            pad_piece="<pad>",
            num_threads=1,
            minloglevel=2,
        )
    except RuntimeError as error:
        raise InvalidInputError(f"the tokenizer cannot be learnt from this text ({error}); give more of it") from error
    learnt = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    return [_piece(learnt, number) for number in range(learnt.get_piece_size())]


def _piece(learnt: Any, number: int) -> Piece:
    special = learnt.is_control(number) or learnt.is_unknown(number) or learnt.is_byte(number)
    return learnt.id_to_piece(number), _NEVER if special else learnt.get_score(number)


def _with_whole(pieces: list[Piece], whole: dict[str, float]) -> list[Piece]:
    learnt = {piece for piece, _ in pieces}
    kept = [(piece, whole.get(piece, score)) for piece, score in pieces]
    return kept + [(piece, score) for piece, score in whole.items() if piece not in learnt]


def _with_frequent(pieces: list[Piece], texts: Sequence[str], size: int) -> list[Piece]:
    """Add the most frequent words that are still in parts, up to ``size`` pieces.

    SentencePiece considers only what occurs in two different words, so a word that every text has stays in parts when
    no other word contains it.
    """
    counts = Counter(_SPACE + word for text in texts for word in _WORD.findall(text))
    total = counts.total()
    known = {piece for piece, _ in pieces}
    frequent = [(word, log(count / total)) for word, count in counts.most_common() if count >= _FREQUENT]
    return pieces + [piece for piece in frequent if piece[0] not in known][: max(0, size - len(pieces))]


def _assemble(pieces: list[Piece]) -> Any:
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=_UNKNOWN, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=_SPACE, prepend_scheme="always", split=True)
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(replacement=_SPACE)])
    sentinels = [f"<extra_id_{number}>" for number in range(SENTINELS)]
    tokenizer.add_special_tokens([AddedToken(text, special=True) for text in ("<pad>", "</s>", "<unk>", *sentinels)])
    return tokenizer
