"""Every page can be found, and the checks of links and files find what they look for."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.check_links import anchors, dead_links, links
from scripts.check_tree import LARGE, check

ROOT = Path(__file__).resolve().parents[2]
INDEX = ROOT / "docs" / "README.md"


def linked_from(page: Path) -> set[Path]:
    return {(page.parent / target.partition("#")[0]).resolve() for target in links(page.read_text())}


def test_the_index_links_every_page() -> None:
    notes = ROOT / "docs" / "decisions"
    pages = {path for path in (ROOT / "docs").rglob("*.md") if path != INDEX and path.parent != notes}
    assert {str(path.relative_to(ROOT)) for path in pages - linked_from(INDEX)} == set()


def test_the_list_of_decisions_links_every_note() -> None:
    folder = ROOT / "docs" / "decisions"
    notes = set(folder.glob("[0-9]*.md"))
    assert notes
    assert notes <= linked_from(folder / "README.md")


def test_a_link_to_nothing_is_found(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# Here it is!\n\n```\n# not a heading\n```\n")
    page = tmp_path / "page.md"
    page.write_text(
        "[good](other.md) [good](other.md#here-it-is) [web](https://example.org/x) `[code](gone.md)`\n"
        "```\n[fenced](gone.md)\n```\n"
        "[bad](gone.md) ![bad](images/gone.png) [bad](other.md#not-a-heading)\n\n[ref]: lost.md\n"
    )
    assert [problem.split("link to ")[1] for problem in dead_links(page)] == [
        "gone.md: no such file",
        "images/gone.png: no such file",
        "other.md#not-a-heading: no such heading",
        "lost.md: no such file",
    ]
    assert anchors(tmp_path / "other.md") == {"here-it-is"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"see {ROOT}/x", "path of this machine"),
        ("from https://files.python" + "hosted.org/packages/", "package registry"),
        ("cached in /root" + "/.cache", "path in a home folder"),
        ("<<<<<<" + "< HEAD\n", "merge conflict"),
    ],
)
def test_text_that_does_not_belong_is_found(tmp_path: Path, text: str, found: str) -> None:
    if len(ROOT.parts) <= 2 and "path" in found:
        pytest.skip("the checkout lies at the root of the file system")
    page = tmp_path / "page.md"
    page.write_text(f"first line\n{text}")
    (finding,) = check(page, decisions="")
    assert finding.startswith("page.md:2: ")
    assert found in finding


def test_a_large_file_needs_a_decision(tmp_path: Path) -> None:
    large = tmp_path / "weights.bin"
    large.write_bytes(b"\xff" * (LARGE + 1))
    (finding,) = check(large, decisions="other words")
    assert "no decision" in finding
    assert list(check(large, decisions="we keep `weights.bin` because")) == []
