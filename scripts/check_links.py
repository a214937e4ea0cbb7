"""Fail when a Markdown file links to a file or a heading that is not there."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote

from scripts.tree import ROOT, project_files

FENCE = re.compile(r"^(```|~~~).*?^\1[^\n]*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)|^\[[^\]]+\]:\s*(\S+)", re.MULTILINE)
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
EXTERNAL = re.compile(r"^([a-z][a-z0-9+.-]*:|//)", re.IGNORECASE)


def main() -> int:
    """Print every dead link; return 1 when there is one."""
    pages = [path for path in project_files() if path.suffix == ".md"]
    dead = [problem for page in pages for problem in dead_links(page)]
    for problem in dead:
        print(problem, file=sys.stderr)
    if not dead:
        print(f"Links of {len(pages)} pages: all there")
    return bool(dead)


def dead_links(page: Path) -> Iterator[str]:
    """Yield a message for every relative link of a page that leads nowhere."""
    for target in links(page.read_text()):
        name, _, anchor = unquote(target).partition("#")
        goal = (page.parent / name).resolve() if name else page
        where = f"{page.relative_to(ROOT) if page.is_relative_to(ROOT) else page}: link to {target}"
        if not goal.exists():
            yield f"{where}: no such file"
        elif anchor and goal.suffix == ".md" and anchor not in anchors(goal):
            yield f"{where}: no such heading"


def links(text: str) -> list[str]:
    """Return the targets of a page's links inside the repository; what stands in code is no link."""
    prose = CODE.sub("", FENCE.sub("", text))
    targets = [inline or reference for inline, reference in LINK.findall(prose)]
    return [target for target in targets if not EXTERNAL.match(target)]


@cache
def anchors(page: Path) -> frozenset[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    return frozenset(_anchor(heading) for heading in HEADING.findall(FENCE.sub("", page.read_text())))


def _anchor(heading: str) -> str:
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


if __name__ == "__main__":
    sys.exit(main())
