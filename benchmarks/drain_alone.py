"""drain3 on a file, with nothing beside it: how fast it adds lines to its tree, and how fast it matches them."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from drain3 import TemplateMiner
from drain3.template_miner_config import TemplateMinerConfig


def main(path: str) -> None:
    """Print lines, templates and lines per second of adding and of matching, reading the file included in both."""
    miner = TemplateMiner(config=TemplateMinerConfig())
    lines, added = _timed(path, miner.add_log_message)
    _, matched = _timed(path, miner.match)
    print(
        json.dumps(
            {
                "lines": lines,
                "templates": len(miner.drain.clusters),
                "add_lines_per_second": round(lines / added),
                "match_lines_per_second": round(lines / matched),
            }
        )
    )


def _timed(path: str, use: object) -> tuple[int, float]:
    assert callable(use)
    started = time.perf_counter()
    count = 0
    with Path(path).open(encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            use(line.rstrip("\n"))
            count += 1
    return count, time.perf_counter() - started


if __name__ == "__main__":
    main(sys.argv[1])
