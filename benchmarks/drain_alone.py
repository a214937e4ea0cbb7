"""drain3 on a file, with nothing beside it: how fast it adds lines to its tree, and how fast it matches them."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from drain3 import TemplateMiner
from drain3.template_miner_config import TemplateMinerConfig


def main(path: str) -> None:
    """Print lines, templates and lines per second of adding and of matching; reading the file does not count."""
    miner = TemplateMiner(config=TemplateMinerConfig())
    lines = Path(path).read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    values = {
        "lines": len(lines),
        "add_lines_per_second": _rate(lines, miner.add_log_message),
        "match_lines_per_second": _rate(lines, miner.match),
        "templates": len(miner.drain.clusters),
    }
    print(json.dumps(values))


def _rate(lines: list[str], use: Callable[[str], object]) -> int:
    started = time.perf_counter()
    for line in lines:
        use(line)
    return round(len(lines) / (time.perf_counter() - started))


if __name__ == "__main__":
    main(sys.argv[1])
