"""A registry keeps revisions, knows which one is active and which was before."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from logwarden.errors import InvalidInputError
from logwarden.revisions import Registry, open_revision
from tests.revisions.builders import make_revision


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def ids(root: Path) -> list[str]:
    """Ids of four revisions, the oldest first."""
    return [make_revision(root, f"w{n}", created=f"2026-11-2{n}T00:00:00Z").id for n in range(4)]


def test_a_registry_that_is_not_there_yet_is_empty(root: Path) -> None:
    registry = Registry(root)
    assert (registry.entries(), registry.active()) == ([], None)
    with pytest.raises(InvalidInputError, match=r"no model revision in .* yet"):
        registry.resolve("latest")
    with pytest.raises(InvalidInputError, match="no revision is active"):
        registry.resolve("active")
    with pytest.raises(InvalidInputError, match=r"no model revision in .* yet"):
        registry.promote("latest")
    assert not root.exists()


def test_revisions_are_listed_newest_first(root: Path, ids: list[str]) -> None:
    Registry(root).promote(ids[1])
    entries = Registry(root).entries()
    assert [entry.id for entry in entries] == ids[::-1]
    assert [entry.id for entry in entries if entry.active] == [ids[1]]


def test_a_revision_is_found_by_name_id_and_beginning(root: Path, ids: list[str]) -> None:
    registry = Registry(root)
    registry.promote(ids[2])
    length = next(n for n in range(1, 13) if len({name[:n] for name in ids}) == 4)
    for ref, expected in (("latest", ids[3]), ("active", ids[2]), (ids[0], ids[0]), (ids[0][:length], ids[0])):
        assert open_revision(ref, registry=Registry(root)).id == expected


def test_a_beginning_of_several_ids_is_refused(root: Path, ids: list[str]) -> None:
    os.rename(root / ids[1], root / (ids[0][:11] + ("0" if ids[0][11] != "0" else "1")))  # noqa: PTH104
    with pytest.raises(InvalidInputError, match="the beginning of several revisions"):
        Registry(root).resolve(ids[0][:11])


def test_promote_then_rollback_returns_to_what_was_active(root: Path, ids: list[str]) -> None:
    registry = Registry(root)
    for name in (ids[0], ids[1], ids[1], ids[2]):
        registry.promote(name)
    assert [registry.rollback().id, registry.rollback().id] == [ids[1], ids[0]]
    with pytest.raises(InvalidInputError, match="nothing to roll back to"):
        registry.rollback()
    assert registry.active() == ids[0]


def test_a_damaged_revision_does_not_become_active(root: Path, ids: list[str]) -> None:
    registry = Registry(root)
    registry.promote(ids[0])
    (root / ids[1] / "model.onnx").write_text("xx")
    with pytest.raises(InvalidInputError, match="damaged"):
        registry.promote(ids[1])
    assert registry.active() == ids[0]


def test_keep_removes_the_oldest_but_never_the_active_one_nor_the_one_before(root: Path, ids: list[str]) -> None:
    registry = Registry(root)
    registry.promote(ids[0])
    registry.promote(ids[1])
    extra = make_revision(root, "w4", created="2026-11-24T00:00:00Z").id
    assert registry.keep(1) == [ids[3], ids[2]]
    assert {entry.id for entry in registry.entries()} == {ids[0], ids[1], extra}
    assert registry.rollback().id == ids[0]


def test_rollback_passes_over_what_was_removed(root: Path, ids: list[str]) -> None:
    registry = Registry(root)
    for name in ids[:3]:
        registry.promote(name)
    subprocess.run(["rm", "-r", root / ids[1]], check=True)
    assert registry.rollback().id == ids[0]


def test_leftovers_of_killed_writers_go_after_a_day(root: Path, ids: list[str]) -> None:
    old, young = root / ".tmp-revision-old", root / ".tmp-revision-young"
    old.mkdir()
    young.mkdir()
    os.utime(old, (0, 0))
    assert Registry(root).keep(4) == []
    assert (old.exists(), young.exists()) == (False, True)
    assert len(Registry(root).entries()) == len(ids)


def test_an_unusable_folder_is_listed_with_the_reason(root: Path, ids: list[str]) -> None:
    (root / ids[0] / "manifest.json").write_text("{}")
    (root / ids[1]).rename(root / ("f" * 12))
    problems = {entry.id: entry.problem for entry in Registry(root).entries() if entry.problem}
    assert "id: Field required" in problems[ids[0]]
    assert f"holds revision {ids[1]}" in problems["f" * 12]
    with pytest.raises(InvalidInputError, match="holds revision"):
        Registry(root).promote("f" * 12)


def test_a_damaged_pointer_is_named(root: Path, ids: list[str]) -> None:
    Registry(root).promote(ids[0])
    for text in ("", "[]", '{"promotions": [{"id": "../../x", "time": "2026-01-01T00:00:00Z"}]}'):
        (root / "active.json").write_text(text)
        with pytest.raises(InvalidInputError, match=r"active\.json: damaged"):
            Registry(root).active()


def test_a_file_is_no_registry(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInputError, match="not a folder"):
        Registry(tmp_path / "file").active()


def test_promotions_of_several_processes_do_not_get_lost(root: Path, ids: list[str]) -> None:
    script = (
        "import sys; from pathlib import Path; from logwarden.revisions import Registry\n"
        "for _ in range(5):\n"
        "    for name in sys.argv[2:]: Registry(Path(sys.argv[1])).promote(name)"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", script, root, *pair]) for pair in ((ids[0], ids[1]), (ids[2], ids[3]))
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    promotions = json.loads((root / "active.json").read_text())["promotions"]
    assert len(promotions) == 20
    assert promotions[-1]["id"] == Registry(root).active()
