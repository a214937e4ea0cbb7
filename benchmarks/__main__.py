"""Run the benchmarks, write benchmarks/results/NAME.json and print a table: ``python -m benchmarks --help``."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.machine import describe
from benchmarks.suites import BENCHMARKS, Plan, Values

ROOT = Path(__file__).resolve().parent.parent
RECORDINGS = ROOT / "lab" / "recordings"


def main() -> int:
    """Run what was asked for."""
    options = _parser().parse_args()
    recording = options.recording or _default_recording()
    plan = Plan(
        recording, options.model, options.lines, options.runs, seconds=options.seconds, anomalies=options.anomalies
    )
    options.out.mkdir(parents=True, exist_ok=True)
    machine = describe()
    rows: list[tuple[str, Values]] = []
    for name in options.only or BENCHMARKS:
        print(f"{name} ...", file=sys.stderr)
        values = BENCHMARKS[name](plan)
        rows.append((name, values))
        result = {
            "benchmark": name,
            "measured": datetime.now(UTC).isoformat(timespec="seconds"),
            "recording": plan.recording.name,
            "machine": machine,
            **values,
        }
        (options.out / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n")
    _print(rows)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000, help="lines of repeated traffic (default 1000000)")
    parser.add_argument("--runs", type=int, default=3, help="runs of which the median counts (default 3)")
    parser.add_argument("--seconds", type=int, default=60, help="seconds at a fixed rate in stream (default 60)")
    parser.add_argument(
        "--anomalies", type=int, default=50_000, help="anomalies in the stores whose pages are timed (default 50000)"
    )
    parser.add_argument("--recording", type=Path, help="recording to repeat (default: the first test recording in lab)")
    parser.add_argument("--model", default="builtin", help="model revision to detect with (default builtin)")
    parser.add_argument("--only", choices=BENCHMARKS, action="append", help="run only this; may be repeated")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results", help="folder for the results")
    return parser


def _default_recording() -> Path:
    found = sorted(meta.parent for meta in RECORDINGS.glob("test*/meta.json"))
    if not found:
        raise SystemExit(f"no test recording in {RECORDINGS}: name one with --recording, or make one with `make lab`")
    return found[0]


def _print(rows: list[tuple[str, Values]]) -> None:
    table = Table("benchmark", "value", "", title="Medians")
    for name, values in rows:
        for key, value in values.items():
            if not isinstance(value, list):
                table.add_row(
                    name, key.replace("_", " "), f"{value:,}" if isinstance(value, int | float) else str(value)
                )
                name = ""
    table.columns[2].justify = "right"
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
