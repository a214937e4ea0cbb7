"""``make chaos``, small: each fault that no other test makes, with every line accounted for."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.chaos.faults import FAULTS
from benchmarks.chaos.surroundings import network, obstacle
from tests.services.kafka import ROOT

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize("fault", ["kafka-disk-full", "network-cut", "clock-set-back"])
def test_every_line_is_accounted_for(fault: str) -> None:
    if (reason := FAULTS[fault].obstacle()) is not None:
        pytest.skip(reason)
    command = [sys.executable, "-m", "benchmarks.chaos", "--lines", "3000", "--away", "5", "--only", fault]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr[-5000:]
    # A broker whose disk is full keeps lines that it answers with an error.
    once = "" if fault == "kafka-disk-full" else ", twice=0"
    assert f"sent=3000, in_kafka=3000{once}" in done.stderr


@pytest.mark.syslog
@pytest.mark.parametrize("fault", ["collector-network-cut", "syslog-ng-killed"])
def test_every_line_that_a_collector_took_is_accounted_for(fault: str) -> None:
    if (reason := FAULTS[fault].obstacle()) is not None:
        pytest.skip(reason)
    command = [sys.executable, "-m", "benchmarks.chaos", "--lines", "3000", "--away", "5", "--only", fault]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr[-5000:]
    assert "sent=3000, in_kafka=3000" in done.stderr


def test_a_network_that_a_killed_run_left_is_gone_with_the_next() -> None:
    if (reason := obstacle()) is not None:
        pytest.skip(reason)
    killed = """
import os, signal, subprocess
from benchmarks.chaos.surroundings import network
with network() as made:
    inside = ["ip", "netns", "exec", made.name, "sh", "-c", "echo in; exec sleep 600 >/dev/null 2>&1"]
    left = subprocess.Popen(inside, stdout=subprocess.PIPE)
    left.stdout.readline()
    print(made.name, left.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", killed], cwd=ROOT, capture_output=True, text=True, check=False)
    name, pid = done.stdout.split()
    assert (Path("/run/netns") / name).exists()
    with network():
        assert not (Path("/run/netns") / name).exists()
        assert not Path("/sys/class/net", f"{name}-c").exists()
        deadline = time.monotonic() + 10
        while Path("/proc", pid).exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not Path("/proc", pid).exists()
