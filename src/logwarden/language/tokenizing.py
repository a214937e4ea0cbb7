"""Text to token ids, the same way in training and in serving."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tokenizers import Tokenizer

from logwarden.errors import InvalidInputError


class Tokens(NamedTuple):
    """Token ids of a text, the number of the word of each token, and its place in the text (first, end)."""

    ids: list[int]
    words: list[int | None]
    offsets: list[tuple[int, int]]

    def cut(self, limit: int) -> Tokens:
        """Return the first ``limit`` tokens."""
        return Tokens(self.ids[:limit], self.words[:limit], self.offsets[:limit])


def load_tokenizer(folder: Path) -> Any:
    """Load ``tokenizer.json`` of a folder as a ``tokenizers.Tokenizer``.

    Raises
    ------
    InvalidInputError
        If the file is missing or is not a tokenizer.
    """
    path = folder / "tokenizer.json"
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the Rust library raises plain Exception for a missing file and for bad JSON
        raise InvalidInputError(f"{path}: cannot be read as a tokenizer ({error}); export the model again") from error
    # A log line that contains "</s>" or "<extra_id_0>" is text, not a command to the model.
    tokenizer.encode_special_tokens = True
    return tokenizer


def token_ids(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """Return the token ids of each text, without special tokens."""
    encodings = tokenizer.encode_batch([readable(text) for text in texts], add_special_tokens=False)
    return [encoding.ids for encoding in encodings]


def tokens(tokenizer: Any, texts: Sequence[str]) -> list[Tokens]:
    """Return ids, words and offsets of each text, without special tokens."""
    encodings = tokenizer.encode_batch([readable(text) for text in texts], add_special_tokens=False)
    return [Tokens(encoding.ids, encoding.word_ids, encoding.offsets) for encoding in encodings]


def readable(text: str) -> str:
    """Replace lone surrogates (bytes that were not UTF-8), which the tokenizer refuses, by U+FFFD each."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
