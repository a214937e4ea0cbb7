"""A short real recording: real daemons in namespaces, two faults."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from lab.instance import obstacles
from lab.topology import BY_NAME, LOGGING_HOSTS, SEGMENTS

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(bool(obstacles()), reason=obstacles() or "can run"),
]
ROOT = Path(__file__).parents[2]
SECONDS = 180.0
LINE = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)\t([\d.]+)\t(udp|tcp)\t(<\d+>.*)$")


@dataclass(frozen=True)
class Recording:
    lines: list[tuple[str, str, str, str]]
    truth: list[dict[str, object]]
    meta: dict[str, object]


def _command(out: Path, instance: str, *more: str) -> list[str]:
    return [
        sys.executable, "-m", "lab", "record", "--out", str(out), "--instance", instance, *more,
    ]  # fmt: skip


def _spaces_of(pid: int) -> set[str]:
    """Network namespaces of a process's descendants, without the machine's own."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(status.parent.name)] = int(fields[1])
    family = {pid}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return _spaces(family) - {str(Path("/proc/self/ns/net").readlink())}


def _interfaces() -> set[str]:
    """Interfaces with names of the lab's wires; other tests make and remove theirs meanwhile."""
    switches = (*SEGMENTS, "mgmt")
    wires = ("m-", *(f"{name}-" for name in SEGMENTS), *(f"br-{name}" for name in switches))
    return {path.name for path in Path("/sys/class/net").iterdir() if path.name.startswith(wires)}


def _spaces(pids: set[int] | None = None) -> set[str]:
    """Network namespaces in use by `pids`, or by anything."""
    chosen = pids or {int(path.name) for path in Path("/proc").glob("[0-9]*")}
    found = set()
    for pid in chosen:
        try:
            found.add(str(Path(f"/proc/{pid}/ns/net").readlink()))
        except OSError:
            continue
    return found


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    out = tmp_path_factory.mktemp("lab") / "recording"
    subprocess.run(
        _command(
            out, f"pytest-{os.getpid()}", "--seed", "3", "--minutes", "2.3", "--quiet-seconds", "1",
            "--faults-per-day", "60", "--kinds", "link_flap,ssh_user_enumeration",
        ),
        cwd=ROOT,
        check=True,
        timeout=400,
    )  # fmt: skip
    with gzip.open(out / "lines.log.gz", "rt", encoding="utf-8", errors="surrogateescape") as file:
        matches = [LINE.match(line.rstrip("\n")) for line in file]
    assert all(matches)
    return Recording(
        [(m[1], m[2], m[3], m[4]) for m in matches if m],
        [json.loads(line) for line in (out / "truth.jsonl").read_text().splitlines()],
        json.loads((out / "meta.json").read_text()),
    )


def _moment(text: object) -> datetime:
    return datetime.fromisoformat(str(text))


def test_every_host_speaks_under_its_own_name(recording: Recording) -> None:
    for host in LOGGING_HOSTS:
        said = [line for line in recording.lines if line[1] == host.address]
        assert said, f"{host.name} said nothing"
        assert all(f" {host.name} " in raw for _, _, _, raw in said)
        assert {transport for _, _, transport, _ in said} == {host.transport}


def test_every_host_has_a_heartbeat(recording: Recording) -> None:
    marks = {peer for _, peer, _, raw in recording.lines if raw.endswith("-- MARK --")}
    assert marks == {host.address for host in LOGGING_HOSTS}


def test_truth_is_well_formed(recording: Recording) -> None:
    faults = [entry for entry in recording.truth if entry["type"] == "fault"]
    assert len(faults) >= 2
    assert len({str(entry["id"]) for entry in recording.truth}) == len(recording.truth)
    previous = _moment(recording.meta["started"])
    for entry in recording.truth:
        start, end, recovered = (_moment(entry[key]) for key in ("start", "end", "recovered"))
        assert previous <= start < end < recovered
        previous = recovered
        hosts, affected = entry["hosts"], entry["affected"]
        assert isinstance(hosts, list)
        assert isinstance(affected, list)
        assert hosts
        assert set(hosts) <= set(affected) <= set(BY_NAME)
    assert previous <= _moment(recording.meta["ended"])


def test_a_link_flap_shows_on_its_hosts_in_its_time(recording: Recording) -> None:
    flap = next(entry for entry in recording.truth if entry["kind"] == "link_flap")
    hosts = flap["hosts"]
    assert isinstance(hosts, list)
    for host in hosts:
        shown = [
            raw
            for received, peer, _, raw in recording.lines
            if peer == BY_NAME[host].address
            and str(flap["start"]) <= received <= str(flap["recovered"])
            and ("AdjChg" in raw or "%ADJCHANGE" in raw)
        ]
        assert shown, f"{host} does not show the flap"


def test_guessed_users_show_only_during_the_enumeration(recording: Recording) -> None:
    entry = next(e for e in recording.truth if e["kind"] == "ssh_user_enumeration")
    moments = [received for received, _, _, raw in recording.lines if "Invalid user" in raw]
    assert moments
    assert all(str(entry["start"]) <= moment <= str(entry["recovered"]) for moment in moments)


def test_meta_counts_the_lines(recording: Recording) -> None:
    assert recording.meta["lines"] == len(recording.lines)
    assert recording.meta["dropped_datagrams"] == 0
    versions = recording.meta["versions"]
    assert isinstance(versions, dict)
    assert "8." in versions["frr"]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "killed"])
def test_nothing_is_left_after_an_interruption(
    tmp_path: Path, how: signal.Signals, request: pytest.FixtureRequest
) -> None:
    interfaces = _interfaces()
    process = subprocess.Popen(
        _command(tmp_path / "cut", f"pytest-cut-{os.getpid()}", "--minutes", "5"),
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    request.addfinalizer(process.kill)
    deadline = time.monotonic() + SECONDS
    while len(spaces := _spaces_of(process.pid)) <= len(LOGGING_HOSTS):
        assert time.monotonic() < deadline, "the lab does not start"
        time.sleep(0.2)
    if how == signal.SIGINT:
        # A terminal sends Ctrl-C to the whole foreground group.
        os.killpg(process.pid, how)
    else:
        process.send_signal(how)
    process.wait(SECONDS)
    deadline = time.monotonic() + SECONDS
    while spaces & _spaces() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not spaces & _spaces()
    assert _interfaces() <= interfaces
