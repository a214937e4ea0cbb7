"""A detector of its own for a measurement, and what it says of itself."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.services.ports import free_port

PARTITIONS = 3
SECONDS = 600.0
"""Patience."""
_PIPELINE = """
apiVersion: logwarden.dev/v1alpha1
kind: AnomalyModel
metadata: {{name: bench}}
spec: {{base: {{model: "{model}"}}}}
---
apiVersion: logwarden.dev/v1alpha1
kind: LogPipeline
metadata: {{name: bench}}
spec:
  kafka: {{bootstrapServers: "{servers}", topic: {{name: {topic}, partitions: {partitions}, replicas: 1}}}}
  detect: {{modelRef: {{name: bench}}, explain: false}}
"""


@dataclass
class RunningDetector:
    """A detector process, seen from outside."""

    process: subprocess.Popen[bytes]
    port: int

    def metrics(self) -> dict[str, float]:
        """Return all samples by name and labels; none while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=30) as answer:
                text = answer.read().decode()
        except (urllib.error.URLError, ConnectionError):
            return {}
        rows = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in rows}

    def stored(self) -> int:
        """Return the lines that were stored."""
        return int(sum(value for name, value in self.metrics().items() if name.startswith("logwarden_lines_stored")))

    def resident_mib(self) -> float:
        """Return the resident memory now."""
        return self._memory("VmRSS")

    def peak_mib(self) -> float:
        """Return the largest resident memory so far."""
        return self._memory("VmHWM")

    def _memory(self, name: str) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(rf"{name}:\s+(\d+) kB", status)
        return int(found[1]) / 1024 if found else 0.0


def wait(lines: int, *running: RunningDetector) -> tuple[float, int]:
    """Wait until the detectors have stored ``lines`` together; return the time and the number at the end."""
    until = time.monotonic() + SECONDS
    while (stored := sum(one.stored() for one in running)) < lines:
        if any(one.process.poll() is not None for one in running) or time.monotonic() > until:
            raise RuntimeError(f"{len(running)} detectors stored {stored} of {lines} lines")
        time.sleep(0.05)
    return time.perf_counter(), stored


@contextlib.contextmanager
def detector(servers: str, topic: str, model: str, store: Path | str) -> Iterator[RunningDetector]:
    """Run a detector on a topic until the end of the block; ``store`` is a file or the URL of a database."""
    port = free_port()
    pipeline = _PIPELINE.format(model=model, servers=servers, topic=topic, partitions=PARTITIONS)
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(pipeline)
        file.flush()
        command = [sys.executable, "-m", "logwarden", "-q", "run", "detector", "-f", file.name, "--store", str(store)]
        process = subprocess.Popen([*command, "--metrics-port", str(port)], stderr=subprocess.DEVNULL)
        try:
            yield RunningDetector(process, port)
        finally:
            process.terminate()
            process.wait()


def quantile(before: dict[str, float], after: dict[str, float], share: float) -> float:
    """Return a quantile from the growth of the buckets, as Prometheus does: linear within a bucket."""
    pattern = re.compile(r'logwarden_receive_to_stored_seconds_bucket\{le="([^"]+)"')
    buckets = sorted(
        (float(found[1]), after[name] - before.get(name, 0.0)) for name in after if (found := pattern.match(name))
    )
    wanted = share * buckets[-1][1]
    low, below = 0.0, 0.0
    for bound, count in buckets:
        if count >= wanted:
            return round(low if bound == float("inf") else low + (bound - low) * (wanted - below) / (count - below), 4)
        low, below = bound, count
    return low
