"""Fail when the repository holds what does not belong there.

That is: the path of this checkout or of a home folder, the address of a package registry, a merge
conflict, or a file of over 2 MiB where no decision in docs/decisions/ names it or one of its folders.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from scripts.tree import ROOT, project_files

LARGE = 2 * 1024 * 1024
REGISTRIES = r"files\.pythonhosted\.org|pypi\.org|registry\.npmjs\.org|static\.crates\.io|deb\.debian\.org"
UNWANTED = {
    "address of a package registry": re.compile(REGISTRIES),
    "path in a home folder": re.compile(r"/(?:root)/\.\w+"),
    "merge conflict": re.compile(r"^(?:<{7}|>{7}) ", re.MULTILINE),
}


def main() -> int:
    """Print every finding; return 1 when there is one."""
    files = project_files()
    decisions = "\n".join(path.read_text() for path in files if path.parent == ROOT / "docs" / "decisions")
    findings = [finding for path in files for finding in check(path, decisions)]
    for finding in findings:
        print(finding, file=sys.stderr)
    if not findings:
        print(f"{len(files)} files: all belong here")
    return bool(findings)


def check(path: Path, decisions: str) -> Iterator[str]:
    """Yield what is wrong with one file; ``decisions`` is the text of docs/decisions/."""
    name = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name
    size = path.stat().st_size
    if size > LARGE and not _decided(name, decisions):
        yield f"{name}: {size / 1024 / 1024:.1f} MiB, and no decision in docs/decisions/ names it"
    if (text := _text(path)) is None:
        return
    for what, pattern in {**UNWANTED, "path of this machine": _own_paths()}.items():
        if found := pattern.search(text):
            line = text.count("\n", 0, found.start()) + 1
            yield f"{name}:{line}: {what}: {found.group().strip()}"


def _decided(name: str, decisions: str) -> bool:
    folders = [f"{parent.as_posix()}/" for parent in Path(name).parents if len(parent.parts) > 1]
    return any(f"`{place}`" in decisions for place in [name, *folders])


@cache
def _own_paths() -> re.Pattern[str]:
    """Match this checkout and the home folder, where their names are too long to be a coincidence."""
    own = [path for path in (ROOT, Path.home()) if len(path.parts) > 2]
    return re.compile("|".join(rf"{re.escape(str(path))}(?![\w-])" for path in own) or r"(?!)")


def _text(path: Path) -> str | None:
    """Return the text of a file, or None when it is binary."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


if __name__ == "__main__":
    sys.exit(main())
