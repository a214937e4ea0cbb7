"""Values of Secrets from a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from logwarden.errors import InvalidInputError
from logwarden.local.secrets import read_secret


def write(folder: Path, value: str) -> Path:
    file = folder / "ingest" / "token"
    file.parent.mkdir()
    file.write_text(value)
    return file


def test_a_value_is_read_without_its_line_end(tmp_path: Path) -> None:
    write(tmp_path, "s3cret\n")
    assert read_secret(tmp_path, "ingest", "token", "spec.x") == "s3cret"


@pytest.mark.parametrize("value", ["", "\n", " \t\r\n"])
def test_an_empty_value_is_refused(tmp_path: Path, value: str) -> None:
    file = write(tmp_path, value)
    with pytest.raises(InvalidInputError, match=f"spec.x names the Secret ingest, but {file} is empty"):
        read_secret(tmp_path, "ingest", "token", "spec.x")
