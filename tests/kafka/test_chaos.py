"""``make chaos``, small: each fault that no other test makes, with every line accounted for."""

from __future__ import annotations

import subprocess
import sys

import pytest

from benchmarks.chaos.faults import FAULTS
from tests.services.kafka import ROOT

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize("fault", ["kafka-disk-full", "network-cut", "clock-set-back"])
def test_every_line_is_accounted_for(fault: str) -> None:
    if (reason := FAULTS[fault].obstacle()) is not None:
        pytest.skip(reason)
    command = [sys.executable, "-m", "benchmarks.chaos", "--lines", "3000", "--away", "5", "--only", fault]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr[-5000:]
    assert "sent=3000, in_kafka=3000, twice=0" in done.stderr


@pytest.mark.syslog
@pytest.mark.parametrize("fault", ["collector-network-cut", "syslog-ng-killed"])
def test_every_line_that_a_collector_took_is_accounted_for(fault: str) -> None:
    if (reason := FAULTS[fault].obstacle()) is not None:
        pytest.skip(reason)
    command = [sys.executable, "-m", "benchmarks.chaos", "--lines", "3000", "--away", "5", "--only", fault]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr[-5000:]
    assert "sent=3000, in_kafka=3000" in done.stderr
