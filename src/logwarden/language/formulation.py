"""How a text becomes the input and the target of the model, kept beside the weights as ``language.json``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from logwarden.errors import InvalidInputError

FORMULATION_VERSION = 1
"""Raised whenever prefixes, spans or labels are built differently, because old weights would then read nonsense."""

FILE_NAME = "language.json"

DETECT = "detect: "
"""Prefix of a text that is to be judged normal or anomalous."""

EXPLAIN = "explain: "
"""Prefix of facts that are to be put into a sentence."""

NORMAL = "normal"
ANOMALY = "anomaly"


@dataclass(frozen=True, slots=True)
class Formulation:
    """Token ids and lengths that training and serving must share.

    Attributes
    ----------
    normal_word, anomaly_word
        Words the model answers with. Each is one token of its vocabulary, which differs from tokenizer to tokenizer.
    normal_id, anomaly_id
        Their token ids.
    pad_id, eos_id, start_id
        Padding, end of sequence, and the token that starts the decoder.
    sentinel_ids
        Tokens that stand for a masked span, in order.
    vocabulary
        Number of logits of the model.
    max_tokens
        Longest encoder input, prefix and end of sequence included; what is longer is cut at the end.
    span_tokens
        A masked span ends at the first word boundary after this many tokens.
    """

    normal_word: str
    anomaly_word: str
    normal_id: int
    anomaly_id: int
    pad_id: int
    eos_id: int
    start_id: int
    sentinel_ids: tuple[int, ...]
    vocabulary: int
    max_tokens: int
    span_tokens: int = 3
    version: int = FORMULATION_VERSION

    def save(self, folder: Path) -> None:
        """Write ``language.json`` into the folder."""
        (folder / FILE_NAME).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Formulation:
        """Read ``language.json`` of a folder.

        Raises
        ------
        InvalidInputError
            If the file is missing, is not JSON, lacks a field or has another version.
        """
        path = folder / FILE_NAME
        values = _read_object(path)
        version = values.get("version")
        if version != FORMULATION_VERSION:
            raise InvalidInputError(
                f"{path}: formulation version {version!r}, this program reads version {FORMULATION_VERSION}; "
                "train the model again or use the program version that made it"
            )
        try:
            return cls(**{**values, "sentinel_ids": tuple(values["sentinel_ids"])})
        except (TypeError, KeyError) as error:
            raise InvalidInputError(f"{path}: not a language model description ({error}); export it again") from error


def _read_object(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InvalidInputError(
            f"{path} not found; a language model folder holds {FILE_NAME}, tokenizer.json, "
            "encoder.onnx and decoder.onnx"
        ) from None
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"{path}: cannot be read as JSON ({error}); export the model again") from error
    if not isinstance(values, dict):
        raise InvalidInputError(f"{path}: found {type(values).__name__} instead of an object; export the model again")
    return values
