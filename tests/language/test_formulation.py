"""The description kept beside the weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from logwarden.errors import InvalidInputError
from logwarden.language import Formulation, LanguageModel
from logwarden.language.tokenizing import load_tokenizer, readable

FORM = Formulation("normal", "anomaly", 7, 8, 0, 1, 0, (20, 21), 22, 64)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    FORM.save(tmp_path)
    assert Formulation.load(tmp_path) == FORM


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"language\.json not found; a language model folder holds"):
        LanguageModel.load(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "found list instead of an object"),
        (json.dumps({"version": 99}), "formulation version 99, this program reads version 1"),
        (json.dumps({"version": 1, "sentinel_ids": []}), "not a language model description"),
    ],
)
def test_a_damaged_description_is_one_clear_message(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "language.json").write_text(content)
    with pytest.raises(InvalidInputError, match=message) as caught:
        Formulation.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_missing_network_is_named(tmp_path: Path) -> None:
    FORM.save(tmp_path)
    with pytest.raises(InvalidInputError, match=r"encoder\.onnx not found"):
        LanguageModel.load(tmp_path)


def test_a_damaged_network_is_one_clear_message(tmp_path: Path) -> None:
    FORM.save(tmp_path)
    (tmp_path / "encoder.onnx").write_bytes(b"no model")
    with pytest.raises(InvalidInputError, match="onnxruntime cannot load it") as caught:
        LanguageModel.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_damaged_tokenizer_is_one_clear_message(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(InvalidInputError, match="cannot be read as a tokenizer"):
        load_tokenizer(tmp_path)


def test_bytes_that_are_no_text_do_not_stop_the_tokenizer() -> None:
    assert readable("caf\udce9 \ud83d\ude00") == "caf� 😀"
