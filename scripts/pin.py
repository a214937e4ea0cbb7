"""Resolve the newest allowed versions of all dependencies into constraints.txt, for every Python and system."""

from __future__ import annotations

import os
import subprocess
import sys

from scripts.install import ROOT, UV, uv_environment

HEADER = """\
# Versions that Logwarden is built and tested with, for every supported Python and system.
# Written by `make constraints`; the ranges that are allowed stand in pyproject.toml.
"""


def main() -> int:
    """Write constraints.txt; return the resolver's exit code."""
    command = [str(UV), "pip", "compile", "pyproject.toml", "--all-extras", "--universal", "--upgrade"]
    quiet = ["--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links", "--quiet"]
    done = subprocess.run(
        [*command, *quiet], cwd=ROOT, env=uv_environment(os.environ), stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode == 0:
        (ROOT / "constraints.txt").write_text(HEADER + done.stdout)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
