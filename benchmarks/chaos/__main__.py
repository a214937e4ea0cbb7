"""Command line of the faults: ``python -m benchmarks.chaos``."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import chaos
from benchmarks.chaos.faults import FAULTS
from benchmarks.chaos.world import Account, World


def main() -> int:
    """Run the faults; return 1 if a line is unaccounted for, or a fault could not be made."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=chaos.__doc__)
    parser.add_argument("--lines", type=int, default=200_000, help="numbered lines for each fault (default 200000)")
    parser.add_argument("--away", type=float, default=60.0, help="seconds for which things stay broken (default 60)")
    parser.add_argument("--only", choices=FAULTS, action="append", help="only this fault; may be repeated")
    options = parser.parse_args()
    results: dict[str, Account | str] = {}
    with tempfile.TemporaryDirectory(prefix="logwarden-chaos-") as folder:
        for name in options.only or FAULTS:
            began = time.monotonic()
            results[name] = _run(name, Path(folder, name), options.lines, options.away)
            print(f"{name}: {results[name]} in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    _print(results)
    return int(any(isinstance(one, str) or one.unaccounted for one in results.values()))


def _run(name: str, folder: Path, lines: int, away: float) -> Account | str:
    """Run one fault; return its account, or why there is none."""
    fault = FAULTS[name]
    reason = fault.obstacle()
    if reason is not None:
        return f"left out: {reason}"
    try:
        world = World(folder, f"chaos-{name}", lines, away, fault.needs)
        try:
            fault.breaks(world)
            return world.finish()
        finally:
            world.close()
    except Exception as error:  # the other faults are worth their run all the same
        traceback.print_exc()
        return f"failed: {error!r:.200}"


def _print(results: dict[str, Account | str]) -> None:
    table = Table("fault", "sent", "stored", "dead letters", "sent again", "lost where", "unaccounted")
    for name, result in results.items():
        if isinstance(result, str):
            table.add_row(name, "-", "-", "-", "-", result, "-")
            continue
        lost = f"{result.lost:,} removed by Kafka unread" if result.lost else "-"
        numbers = (f"{number:,}" for number in (result.sent, result.stored, result.dead, result.twice))
        table.add_row(name, *numbers, lost, f"{result.unaccounted:,}")
    for column in (1, 2, 3, 4, 6):
        table.columns[column].justify = "right"
    Console(width=120).print(table)


if __name__ == "__main__":
    sys.exit(main())
