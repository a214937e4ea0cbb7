"""Command line of the lab."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lab import SIMULATED_DAY_SECONDS
from lab.events import FAULTS, HELD_OUT_KINDS, KINDS, MAINTENANCE
from lab.instance import clean, obstacles, run_inside
from lab.plan import QUIET_SECONDS, chosen_kinds, quiet_seconds
from lab.record import Order, record

EXAMPLES = """\
examples:
  python3 -m lab record --seed 7 --minutes 24 --out recording
  python3 -m lab record --seed 1 --out train-1 --instance a --without-held-out
  python3 -m lab record --seed 3 --minutes 5 --out try --kinds link_flap,port_scan
  python3 -m lab record --seed 9 --out calm --faults-per-day 0
  python3 -m lab list-kinds
  python3 -m lab clean --instance a
"""


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m lab",
        description="Run a small real network and record its syslog with labels.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--list-kinds", action="store_true", help="list what can happen, and exit")
    commands = parser.add_subparsers(dest="command")
    rec = commands.add_parser(
        "record",
        help="make a recording",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    rec.add_argument("--seed", type=int, default=1, help="decides everything drawn (default 1)")
    rec.add_argument(
        "--minutes",
        type=float,
        default=SIMULATED_DAY_SECONDS / 60,
        help="length; 24 are one simulated day (default 24)",
    )
    rec.add_argument("--out", type=Path, required=True, help="folder of the recording")
    rec.add_argument("--instance", default="a", help="name; several may run at once (default a)")
    rec.add_argument("--kinds", type=_names, default=(), help="only these kinds of faults")
    rec.add_argument("--exclude-kinds", type=_names, default=(), help="not these kinds of faults")
    rec.add_argument(
        "--without-held-out",
        action="store_true",
        help="leave out the kinds that training must not see",
    )
    rec.add_argument(
        "--faults-per-day",
        type=float,
        default=18,
        help="how dense faults are; 0 is only normal life (default 18)",
    )
    rec.add_argument(
        "--quiet-seconds",
        type=float,
        help=f"normal life at the beginning (default {QUIET_SECONDS:.0f}, or a sixth of a shorter recording)",
    )
    end = commands.add_parser("clean", help="end an instance that is still running")
    end.add_argument("--instance", default="a")
    commands.add_parser("list-kinds", help="list what can happen")
    return parser


def _list_kinds() -> None:
    for title, names in (("faults", FAULTS), ("maintenance", MAINTENANCE)):
        print(title)
        for name in names:
            mark = " (held out)" if name in HELD_OUT_KINDS else ""
            print(f"  {name:<26}{KINDS[name].injects}{mark}")


def _record(given: argparse.Namespace, arguments: Sequence[str]) -> int:
    if given.minutes <= 0 or given.faults_per_day < 0:
        raise ValueError("--minutes must be positive and --faults-per-day not negative")
    kinds = chosen_kinds(given.kinds, given.exclude_kinds, given.without_held_out)
    problem = obstacles()
    if problem:
        raise ValueError(problem)
    if not os.environ.get("LOGWARDEN_LAB_INSIDE"):
        return run_inside(given.instance, arguments)
    seconds = given.minutes * 60
    quiet = quiet_seconds(seconds) if given.quiet_seconds is None else given.quiet_seconds
    order = Order(
        given.seed, seconds, given.out.resolve(), given.instance, kinds, given.faults_per_day, quiet
    )  # fmt: skip
    recorded = record(order)
    print(f"Recorded into {given.out}: {recorded.lines:,} lines, {recorded.faults} faults and their labels.")
    print(f"Look at it: .venv/bin/logwarden detect {given.out}")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = _parser()
    given = parser.parse_args(words)
    if given.list_kinds or given.command == "list-kinds":
        _list_kinds()
        return 0
    try:
        if given.command == "record":
            return _record(given, words)
        if given.command == "clean":
            found = clean(given.instance)
            print(f"instance {given.instance}: {'ended' if found else 'nothing was running'}")
            return 0
    except ValueError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 2
    except RuntimeError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lab: interrupted", file=sys.stderr)
        return 130
    parser.print_help(sys.stderr)
    return 2
