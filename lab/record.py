"""One recording: the network runs, events happen, lines and labels are written."""

from __future__ import annotations

import gzip
import json
import random
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from lab import SIMULATED_DAY_SECONDS
from lab.events import HELD_OUT_KINDS, KINDS, Scene
from lab.network import Network
from lab.plan import SETTLE_SECONDS, Step, first_hour, steps
from lab.topology import LOGGING_HOSTS

RECOVERY_SECONDS = 180.0
"""Longest wait for the network to be normal after an event."""


@dataclass(frozen=True)
class Order:
    """What shall be recorded."""

    seed: int
    seconds: float
    folder: Path
    instance: str
    kinds: tuple[str, ...]
    faults_per_day: float
    quiet_seconds: float


class Recorded(NamedTuple):
    """What a recording holds."""

    lines: int
    faults: int


def stamp(moment: float) -> str:
    """RFC 3339 in UTC with microseconds."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Progress:
    """A line on stderr, drawn once a second: percent, lines, what happens, time left."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._begin: float | None = None
        self._position = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.lines = 0
        self.now = "starting"

    def __enter__(self) -> Progress:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        self.draw("\n")

    def start_clock(self) -> None:
        """Count the time from now."""
        self._begin = time.monotonic()

    def _run(self) -> None:
        terminal = sys.stderr.isatty()
        while not self._stop.wait(1 if terminal else 15):
            self.draw("\r" if terminal else "\n")

    def draw(self, end: str) -> None:
        self._count()
        passed = 0.0 if self._begin is None else time.monotonic() - self._begin
        share = min(1.0, passed / self._order.seconds)
        left = int(max(0.0, self._order.seconds - passed))
        bar = "#" * int(share * 24)
        text = f"[{bar:<24}] {share:4.0%}  {self.lines} lines  {self.now}  {left // 60}:{left % 60:02d} left"
        print(f"{text:<100}", end=end, file=sys.stderr, flush=True)

    def _count(self) -> None:
        path = self._order.folder / "lines.log"
        try:
            with path.open("rb") as file:
                file.seek(self._position)
                while block := file.read(1 << 20):
                    self.lines += block.count(b"\n")
                self._position = file.tell()
        except FileNotFoundError:
            pass


def record(order: Order) -> Recorded:
    """Record into ``order.folder``; the caller runs this inside the instance's namespaces.

    Raises
    ------
    RuntimeError
        If the network does not come up.
    """
    order.folder.mkdir(parents=True, exist_ok=True)
    for name in ("lines.log", "lines.log.gz", "truth.jsonl", "meta.json"):
        (order.folder / name).unlink(missing_ok=True)
    (order.folder / "truth.jsonl").touch()
    network = Network(order.folder, order.seed)
    versions = program_versions()
    truth: list[dict[str, object]] = []
    failure: BaseException | None = None
    with Progress(order) as progress:
        try:
            network.start()
            left = network.wait_normal(60)
            if left:
                raise RuntimeError("the network does not come up: " + "; ".join(left))
            started = time.time()
            progress.start_clock()
            network.start_life(started, first_hour(order.seed))
            try:
                _play(order, network, progress, started, truth)
            except (Exception, KeyboardInterrupt) as error:
                # What was recorded up to here is good, and worth keeping.
                failure = error
            dropped = network.dropped_datagrams()
        finally:
            ended = time.time()
            progress.now = "stopping"
            network.stop()
    lines = _keep_lines(order.folder, started, ended)
    _write_meta(order, started, ended, lines, dropped, truth, versions)
    _compress(order.folder / "lines.log")
    if failure is not None:
        raise failure
    return Recorded(lines, sum(entry["type"] == "fault" for entry in truth))


def _play(
    order: Order,
    network: Network,
    progress: Progress,
    started: float,
    truth: list[dict[str, object]],
) -> None:
    """Let the planned events happen until the time is over, and note them in `truth`."""
    end = started + order.seconds
    plan = steps(order.seed, order.kinds, order.faults_per_day, order.quiet_seconds)
    for number, step in enumerate(plan, 1):
        progress.now = "normal life"
        begin = time.time() + step.gap
        # An event must end, and the network recover, within the recording.
        if begin + step.seconds + 15 > end:
            # A shorter kind may still fit; a long gap at the end is normal life.
            if begin + 35 > end:
                break
            continue
        time.sleep(step.gap)
        progress.now = step.kind
        entry = _happen(number, step, network)
        truth.append(entry)
        with (order.folder / "truth.jsonl").open("a") as file:
            file.write(json.dumps(entry, sort_keys=True) + "\n")
    progress.now = "normal life"
    time.sleep(max(0.0, end - time.time()))


def _happen(number: int, step: Step, network: Network) -> dict[str, object]:
    """One event, from its injection until the network is normal again."""
    kind = KINDS[step.kind]
    scene = Scene(network, random.Random(step.dice), step.seconds)
    start = time.time()
    kind.act(scene)
    end = time.time()
    left = network.wait_normal(RECOVERY_SECONDS)
    if left:
        raise RuntimeError(f"the network does not recover from {kind.name}: {'; '.join(left)}")
    time.sleep(SETTLE_SECONDS)
    return {
        "id": f"{kind.type[0]}{number:03d}",
        "type": kind.type,
        "kind": kind.name,
        "hosts": scene.hosts,
        "affected": scene.affected,
        "start": stamp(start),
        "end": stamp(end),
        "recovered": stamp(time.time()),
        "parameters": scene.parameters,
        "held_out": kind.name in HELD_OUT_KINDS,
    }


def _keep_lines(folder: Path, started: float, ended: float) -> int:
    """Drop what was received before the recording began or after it ended (start and stop of the network).

    Returns the number of lines kept.
    """
    first, last = stamp(started).encode(), stamp(ended).encode()
    kept, count = folder / "lines.kept", 0
    with (folder / "lines.log").open("rb") as source, kept.open("wb") as target:
        for line in source:
            if first <= line < last:
                target.write(line)
                count += 1
    kept.replace(folder / "lines.log")
    return count


def _compress(path: Path) -> None:
    target = path.with_name(path.name + ".gz")
    with (
        path.open("rb") as source,
        target.open("wb") as raw,
        gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed,
    ):
        shutil.copyfileobj(source, packed)
    path.unlink()


def _write_meta(
    order: Order,
    started: float,
    ended: float,
    lines: int,
    dropped: int,
    truth: list[dict[str, object]],
    versions: dict[str, str],
) -> None:
    hosts = [
        {
            "name": host.name,
            "address": host.address,
            "role": host.role,
            "daemons": list(host.daemons),
            "format": host.format,
            "transport": host.transport,
        }
        for host in LOGGING_HOSTS
    ]
    meta = {
        "seed": order.seed,
        "instance": order.instance,
        "started": stamp(started),
        "ended": stamp(ended),
        "simulated_day_seconds": SIMULATED_DAY_SECONDS,
        "simulated_days": round((ended - started) / SIMULATED_DAY_SECONDS, 4),
        "first_hour": first_hour(order.seed),
        "lines": lines,
        "dropped_datagrams": dropped,
        "events": len(truth),
        "kinds": sorted({str(entry["kind"]) for entry in truth if entry["type"] == "fault"}),
        "faults_per_day": order.faults_per_day,
        "hosts": hosts,
        "versions": versions,
    }
    (order.folder / "meta.json").write_text(json.dumps(meta, indent=2) + "\n")


def program_versions() -> dict[str, str]:
    """First line of what each daemon says about its version."""
    commands = {
        "frr": ["/usr/lib/frr/zebra", "--version"],
        "keepalived": ["keepalived", "--version"],
        "nginx": ["nginx", "-v"],
        "dnsmasq": ["dnsmasq", "--version"],
        "chronyd": ["chronyd", "--version"],
        "sshd": ["ssh", "-V"],
        "syslog-ng": ["syslog-ng", "--version"],
        "ulogd": ["ulogd", "--version"],
        "supervisord": ["/usr/bin/supervisord", "--version"],
        "nmap": ["nmap", "--version"],
        "linux": ["uname", "-r"],
    }
    found = {}
    for name, argv in commands.items():
        shown = subprocess.run(argv, capture_output=True, text=True, check=False)
        lines = (shown.stdout + shown.stderr).strip().splitlines()
        found[name] = lines[0] if lines else ""
    return found
