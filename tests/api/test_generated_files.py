"""Generated files are as the contract says, and the check that guards them notices when they are not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from logwarden.api.generate import generated_files, main, stale_files, write_files

ROOT = Path(__file__).resolve().parents[2]


def test_the_committed_files_are_fresh() -> None:
    assert stale_files(ROOT) == []


def test_a_changed_and_a_missing_file_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_files(tmp_path)
    assert main(["--check", "--root", str(tmp_path)]) == 0
    changed, missing = "crds/logpipelines.logwarden.dev.yaml", "docs/reference/case.schema.json"
    (tmp_path / changed).write_text("apiVersion: v1\n")
    (tmp_path / missing).unlink()
    assert main(["--check", "--root", str(tmp_path)]) == 1
    named = capsys.readouterr().err
    assert changed in named
    assert missing in named
    assert main(["--root", str(tmp_path)]) == 0
    assert stale_files(tmp_path) == []


@pytest.mark.parametrize("path", [path for path in generated_files() if path.endswith(".json")])
def test_a_schema_is_a_json_schema_and_describes_every_field(path: str) -> None:
    schema = json.loads(generated_files()[path])
    Draft202012Validator.check_schema(schema)
    assert "x-logwarden" not in generated_files()[path]


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda path: path.name)
def test_examples_are_valid_by_their_schema(example: Path) -> None:
    documents = list(yaml.safe_load_all(example.read_text(encoding="utf-8")))
    assert documents
    for document in documents:
        text = generated_files()[f"docs/reference/{document['kind'].lower()}.schema.json"]
        Draft202012Validator(json.loads(text)).validate(document)


def test_the_reference_page_names_every_field_of_the_quickstart() -> None:
    page = generated_files()["docs/reference/resources.md"]
    for field in ("spec.unit.window.lines", "spec.collect.syslog.listeners[].transport", "spec.detect.modelRef.name"):
        assert f"| `{field}` |" in page
