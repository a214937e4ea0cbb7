"""Run a program in a process of its own and measure it from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

_CPU_FIELDS = range(11, 15)
"""utime, stime, cutime and cstime of /proc/PID/stat, counted from behind the name."""


class Run(NamedTuple):
    """Wall and processor time in seconds, the largest resident memory in MB (10^6 bytes), standard output."""

    seconds: float
    cpu_seconds: float
    peak_mb: float
    output: str


def measure(command: Sequence[str]) -> Run:
    """Run a command to its end.

    Raises
    ------
    RuntimeError
        If it fails; the message holds the end of what it said.
    """
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {errors.read()[-2000:]}")
        output.seek(0)
        # Linux counts kilobytes, macOS bytes.
        unit = 1 if sys.platform == "darwin" else 1024
        return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit / 1e6, output.read())


def measure_module(module: str, *arguments: str) -> dict[str, Any]:
    """Run a module of this package that prints one JSON object, and return that object."""
    values: dict[str, Any] = json.loads(measure([sys.executable, "-m", module, *arguments]).output)
    return values


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a running process and of all it has started, on Linux."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = sum(int(fields[place]) for place in _CPU_FIELDS)
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return ticks / os.sysconf("SC_CLK_TCK") + sum(map(cpu_seconds, map(int, children)))
