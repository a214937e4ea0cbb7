"""``logwarden models`` lists, shows, promotes and rolls back revisions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from logwarden.cli.root import run
from tests.revisions.builders import make_revision


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def ids(root: Path) -> list[str]:
    return [make_revision(root, f"w{n}", created=f"2026-11-2{n}T08:30:00Z").id for n in range(3)]


def models(capsys: pytest.CaptureFixture[str], *args: str | Path) -> str:
    """Run a command that must succeed; return what it printed."""
    assert run(["models", *map(str, args)]) == 0
    return capsys.readouterr().out


def test_an_empty_registry_says_what_to_do(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "No revisions in" in models(capsys, "list", "--root", root)
    assert json.loads(models(capsys, "list", "--root", root, "--format", "json")) == []


def test_the_table_marks_the_active_revision(root: Path, ids: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert models(capsys, "promote", ids[1], "--root", root) == f"active: {ids[1]}\n"
    header, *rows = models(capsys, "list", "--root", root).splitlines()
    assert header.split() == ["ID", "CREATED", "BASE", "UNIT", "F1", "THRESHOLD", "SIZE"]
    assert [row[:1] for row in rows] == [" ", "*", " "]
    assert rows[0].split() == [ids[2], "2026-11-22", "08:30", "T5", "builtin", "window", "0.930", "0.870", "0.0", "MB"]


def test_json_has_the_same_facts(root: Path, ids: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    (root / ids[0] / "manifest.json").write_text("{}")
    rows = json.loads(models(capsys, "list", "--root", root, "--format", "json"))
    assert [row["id"] for row in rows] == [ids[2], ids[1], ids[0]]
    assert rows[0]["f1"] == 0.93
    assert "Field required" in rows[2]["problem"]


def test_an_unusable_revision_is_explained_on_standard_error(
    root: Path, ids: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (root / ids[0] / "manifest.json").write_text("{}")
    assert run(["models", "list", "--root", str(root)]) == 0
    captured = capsys.readouterr()
    assert "unusable" in captured.out
    assert f"{ids[0]} is unusable" in captured.err


def test_show_prints_the_manifest_as_it_is_stored(
    root: Path, ids: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    shown = json.loads(models(capsys, "show", ids[0], "--root", root))
    assert shown == json.loads((root / ids[0] / "manifest.json").read_text())
    assert json.loads(models(capsys, "show", root / ids[0])) == shown


def test_rollback_returns_to_the_one_before(root: Path, ids: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    for ref in (ids[0], "latest"):
        models(capsys, "promote", ref, "--root", root)
    assert models(capsys, "rollback", "--root", root) == f"active: {ids[0]}\n"


def test_the_data_folder_can_be_set(
    root: Path, ids: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGWARDEN_DATA_DIR", str(root.parent))
    assert ids[0] in models(capsys, "list")
