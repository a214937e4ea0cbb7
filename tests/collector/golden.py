"""Golden configurations: what changes for every collector is seen in review. Written by this module itself."""

from __future__ import annotations

from itertools import product
from pathlib import Path

from logwarden.collector import render_syslog_ng
from tests.collector.pipelines import PIPELINES

FOLDER = Path(__file__).parent / "golden"
VERSIONS = ("3.38", "4.8", "4.10")
CASES = list(product(PIPELINES, VERSIONS))


def rendered(name: str, version: str) -> str:
    """Return what the code makes of a pipeline now."""
    return render_syslog_ng(PIPELINES[name], version=version, node_logs="files" if name == "nodes-files" else "journal")


def file_of(name: str, version: str) -> Path:
    """Return the file with what it made before."""
    return FOLDER / f"{name}-{version}.conf"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for case in CASES:
        file_of(*case).write_text(rendered(*case))
