"""A run that is killed and started again ends with exactly the records of an undisturbed run."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.detect.conftest import RECORDINGS

KILLS = 10


def command(store: Path) -> list[str]:
    sources = [str(RECORDINGS / name) for name in ("test-11", "test-12")]
    return [sys.executable, "-m", "logwarden", "detect", *sources, "--store", str(store)]


def stored(store: Path) -> list[dict[str, object]]:
    listing = subprocess.run(
        [
            sys.executable,
            "-m",
            "logwarden",
            "anomalies",
            "--store",
            str(store),
            "--limit",
            "100000",
            "--format",
            "ndjson",
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    records = [json.loads(line) for line in listing.stdout.splitlines()]
    for record in records:
        del record["detected"]
    return sorted(records, key=lambda record: str(record["id"]))


def test_ten_kills_change_nothing(tmp_path: Path) -> None:
    undisturbed, disturbed = tmp_path / "undisturbed.db", tmp_path / "disturbed.db"
    started = time.monotonic()
    subprocess.run(command(undisturbed), check=True, capture_output=True)
    duration = time.monotonic() - started

    chance = random.Random(1)
    for _ in range(KILLS):
        process = subprocess.Popen(command(disturbed), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(0.1, 0.9) * duration)
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(command(disturbed), check=True, capture_output=True)

    expected = stored(undisturbed)
    assert expected
    assert stored(disturbed) == expected
