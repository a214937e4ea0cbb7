"""A revision is written whole, addressed by its content, and refused when it is not what it says."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from logwarden.errors import InvalidInputError
from logwarden.revisions import Revision, open_revision, write_revision
from logwarden.revisions.folder import read_manifest
from tests.revisions.builders import FIELDS, make_revision


@pytest.fixture
def revision(tmp_path: Path) -> Revision:
    return make_revision(tmp_path / "models")


def test_a_revision_lies_in_a_folder_of_its_id_and_opens_again(revision: Revision, tmp_path: Path) -> None:
    assert revision.path == tmp_path / "models" / revision.manifest.digest[:12]
    assert revision.file("model.onnx").read_text() == "weights"
    assert set(revision.manifest.files) == {"model.onnx", "tokenizer/tokenizer.json"}
    assert open_revision(str(revision.path), verify=True) == revision
    assert [path.name for path in revision.path.parent.iterdir()] == [revision.id]


def test_the_same_content_has_the_same_id_whenever_it_was_made(revision: Revision, tmp_path: Path) -> None:
    again = make_revision(tmp_path / "models", created="2027-01-01T00:00:00Z", metrics={})
    assert again == revision
    assert again.manifest.metrics


@pytest.mark.parametrize(
    "change",
    [
        {"weights": "other"},
        {"threshold": {"value": 0.5, "method": "F1", "from": "validation"}},
        {"mask_version": "2"},
        {"text_version": "2"},
        {"unit": {"kind": "line"}},
    ],
)
def test_whatever_changes_answers_changes_the_id(revision: Revision, tmp_path: Path, change: dict[str, Any]) -> None:
    assert make_revision(tmp_path / "models", **change).id != revision.id


def test_the_file_of_the_manifest_says_from_and_not_a_python_name(revision: Revision) -> None:
    values = json.loads((revision.path / "manifest.json").read_text())
    assert values["threshold"] == {"value": 0.87, "method": "F1", "from": "validation"}


def _truncate(folder: Path) -> None:
    (folder / "model.onnx").write_text("weight")


def _flip(folder: Path) -> None:
    (folder / "model.onnx").write_text("weighty")


def _remove(folder: Path) -> None:
    (folder / "model.onnx").unlink()


def _add(folder: Path) -> None:
    (folder / "evil.py").write_text("")


def _link(folder: Path) -> None:
    _remove(folder)
    (folder / "model.onnx").symlink_to("/etc/hostname")


def _link_folder(folder: Path) -> None:
    shutil.move(folder / "tokenizer", folder.parent / "elsewhere")
    (folder / "tokenizer").symlink_to(folder.parent / "elsewhere")


def _edit(folder: Path, **changes: Any) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def _escape(folder: Path) -> None:
    files = {"../../etc/passwd": {"sha256": "0" * 64, "size": 1}}
    _edit(folder, files=files)


def _manifest(content: bytes) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        (folder / "manifest.json").write_bytes(content)

    return damage


def _without_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "truncated file": (_truncate, r"model\.onnx: 6 bytes, 7 expected"),
    "changed byte": (_flip, r"model\.onnx: damaged: its hash is not the manifest's"),
    "missing file": (_remove, r"missing model\.onnx"),
    "foreign file": (_add, r"evil\.py: not listed in manifest\.json"),
    "symlink": (_link, "a symlink, which a revision must not contain"),
    "symlinked folder": (_link_folder, "a symlink, which a revision must not contain"),
    "path that leaves the folder": (_escape, "files.*a file path has parts of letters"),
    "changed threshold": (
        lambda folder: _edit(folder, threshold={"value": 0.1, "method": "F1", "from": "validation"}),
        "its digest does not fit its content",
    ),
    "other id": (lambda folder: _edit(folder, id="0" * 12), "its digest does not fit its content"),
    "unknown field": (lambda folder: _edit(folder, promoted=True), "promoted: Extra inputs are not permitted"),
    "no JSON": (lambda folder: (folder / "manifest.json").write_text("{"), "not valid JSON"),  # type: ignore[dict-item,return-value]
    "deep JSON": (lambda folder: (folder / "manifest.json").write_text("[" * 100000), "not valid JSON"),  # type: ignore[dict-item,return-value]
    "list": (lambda folder: (folder / "manifest.json").write_text("[]"), "the whole"),  # type: ignore[dict-item,return-value]
    "binary": (lambda folder: (folder / "manifest.json").write_bytes(b"\xff\x00"), "not valid JSON"),  # type: ignore[dict-item,return-value]
    "no manifest": (
        lambda folder: (folder / "manifest.json").unlink(),
        r"not a model revision: it has no manifest\.json",
    ),
    "no folder": (lambda folder: shutil.rmtree(folder), "not a model revision"),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_revision_is_refused(revision: Revision, damage: Callable[[Path], None], message: str) -> None:
    damage(revision.path)
    with pytest.raises(InvalidInputError, match=message) as caught:
        open_revision(revision.path)
    assert "\n" not in str(caught.value)


def _with_link(files: Path) -> None:
    (files / "link").symlink_to("/etc/hostname")


def _with_pipe(files: Path) -> None:
    os.mkfifo(files / "pipe")


def _with_odd_name(files: Path) -> None:
    (files / "a b").write_text("")


def _with_manifest(files: Path) -> None:
    (files / "manifest.json").write_text("{}")


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (_with_link, "not a plain file"),
        (_with_pipe, "not a plain file"),
        (_with_odd_name, "the file name 'a b' cannot be used"),
        (_with_manifest, r"manifest\.json cannot list itself"),
    ],
)
def test_what_cannot_be_a_revision_is_not_written(
    tmp_path: Path, prepare: Callable[[Path], None], message: str
) -> None:
    files = tmp_path / "files"
    files.mkdir()
    (files / "model.onnx").write_text("x")
    prepare(files)
    with pytest.raises(InvalidInputError, match=message):
        write_revision(tmp_path / "models", files, FIELDS)
    assert list((tmp_path / "models").iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metrics": {"f1": float("nan")}}, "metrics: f1 is nan: JSON has no such number"),
        ({"created": "2026-11-22T10:00:00"}, "created: .*timezone"),
        (
            {"threshold": {"value": 1.5, "method": "F1", "from": "validation"}},
            r"threshold\.value: .*less than",
        ),
        ({"data": [{"uri": "a"}]}, r"data\.0\.format: Field required \(and 2 more\)"),
        ({"seed": None}, "seed: "),
    ],
)
def test_fields_that_do_not_fit_are_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        make_revision(tmp_path / "models", **change)


def test_a_killed_writer_leaves_no_revision(tmp_path: Path) -> None:
    """The writer is killed at its last step before the rename: nothing that looks like a revision is there."""
    script = textwrap.dedent(
        f"""
        import os, signal, sys
        sys.path.insert(0, {str(Path(__file__).parents[2])!r})
        from pathlib import Path
        from logwarden.revisions import folder
        folder.sync_tree = lambda path: os.kill(os.getpid(), signal.SIGKILL)
        from tests.revisions.builders import make_revision
        make_revision(Path({str(tmp_path)!r}) / "models")
        """
    )
    killed = subprocess.run([sys.executable, "-c", script], check=False)
    assert killed.returncode == -9
    (leftover,) = (tmp_path / "models").iterdir()
    assert leftover.name.startswith(".tmp-")
    revision = make_revision(tmp_path / "models")
    assert read_manifest(revision.path).id == revision.id


def test_references_that_lead_nowhere_are_named(tmp_path: Path) -> None:
    for ref, message in (
        ("nope", "no model revision 'nope': name builtin, a folder or a URI"),
        ("ftp://host/x", "found ftp://, allowed: file://, s3://, gs://, https://, hf://"),
        ("pvc://claim/x", "exists only in a cluster"),
        (f"file://{tmp_path}/x", "not a model revision"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            open_revision(ref)


def test_a_file_uri_is_opened_in_place(revision: Revision) -> None:
    assert open_revision(f"file://{revision.path}") == revision


def test_a_file_the_manifest_does_not_list_is_refused(revision: Revision) -> None:
    with pytest.raises(InvalidInputError, match=r"the revision has no file decoder\.onnx"):
        revision.file("decoder.onnx")
