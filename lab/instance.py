"""An instance is one process tree in namespaces of its own: it ends as a whole or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from lab.namespace import UNSHARE, own_repository

STATE = Path("/run/logwarden-lab")
PROGRAMS = {
    "/usr/lib/frr/bgpd": "frr",
    "keepalived": "keepalived",
    "nft": "nftables",
    "ulogd": "ulogd2",
    "sshd": "openssh-server",
    "ssh": "openssh-client",
    "sshpass": "sshpass",
    "dnsmasq": "dnsmasq-base",
    "dig": "dnsutils",
    "dhclient": "isc-dhcp-client",
    "nginx": "nginx-light",
    "chronyd": "chrony",
    "syslog-ng": "syslog-ng-core",
    "supervisord": "supervisor",
    "sudo": "sudo",
    "cron": "cron",
    "nmap": "nmap",
    "ip": "iproute2",
    "sysctl": "procps",
    "unshare": "util-linux",
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1": "libfaketime",
}
_PATH = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin")


def obstacles() -> str:
    """Why no recording can be made here; empty when one can."""
    if sys.platform != "linux":
        return "the lab needs Linux (network namespaces)"
    problems = []
    if os.geteuid() != 0:
        problems.append("the lab needs root, to make namespaces: run it with sudo")
    if missing := missing_packages():
        problems.append(
            "programs are missing; install their Debian packages:\n"
            f"  apt-get install --no-install-recommends {' '.join(missing)}"
        )
    return "\n".join(problems)


def missing_packages() -> list[str]:
    """Debian packages of the programs that are not there."""

    def there(program: str) -> bool:
        folders = [""] if program.startswith("/") else [f"{folder}/" for folder in _PATH]
        return any(Path(folder + program).exists() for folder in folders)

    return sorted({package for program, package in PROGRAMS.items() if not there(program)})


def run_inside(instance: str, arguments: Sequence[str]) -> int:
    """Run ``python3 -m lab`` with `arguments` in new namespaces, and wait for it.

    Everything the instance starts lives in its process namespace, so the kernel ends all of it
    with its first process; mounts and interfaces go with the last process that used them.

    Raises
    ------
    RuntimeError
        If an instance of this name is running.
    """
    if running_pid(instance):
        raise RuntimeError(f"instance {instance} is running; end it with: python3 -m lab clean --instance {instance}")
    # setpriv: if this process is killed outright, the instance must not outlive it.
    command = ["setpriv", "--pdeathsig", "KILL", *UNSHARE, sys.executable, "-m", "lab"]
    environment = os.environ | {"LOGWARDEN_LAB_INSIDE": "1", "PYTHONPATH": own_repository()}
    process = subprocess.Popen([*command, *arguments], env=environment)
    STATE.mkdir(parents=True, exist_ok=True)
    state = STATE / f"{instance}.pid"
    state.write_text(f"{process.pid} {_start_time(process.pid)}\n")
    previous = signal.signal(signal.SIGTERM, lambda *_: process.kill())
    try:
        while True:
            try:
                status = process.wait()
                return status if status >= 0 else 128 - status
            except KeyboardInterrupt:
                # The terminal has sent Ctrl-C to the inside too; it stops by itself.
                try:
                    process.wait(20)
                except (subprocess.TimeoutExpired, KeyboardInterrupt):
                    process.kill()
    finally:
        signal.signal(signal.SIGTERM, previous)
        state.unlink(missing_ok=True)


def _start_time(pid: int) -> str:
    """Start of a process in clock ticks, which tells it from a later one of the same number."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def running_pid(instance: str) -> int:
    """Process number of a running instance, or 0."""
    try:
        pid, started = (STATE / f"{instance}.pid").read_text().split()
    except (OSError, ValueError):
        return 0
    return int(pid) if _start_time(int(pid)) == started else 0


def clean(instance: str) -> bool:
    """End an instance that is still running; returns whether there was one."""
    pid = running_pid(instance)
    if pid:
        os.kill(pid, signal.SIGKILL)
        while running_pid(instance):
            time.sleep(0.05)
    (STATE / f"{instance}.pid").unlink(missing_ok=True)
    return bool(pid)
