"""Disks that can be full and networks that can be cut, made for one run and removed after it. Both need root."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_MIB = 1024 * 1024
_NAMESPACES = Path("/run/netns")
_PREFIX = "lwcut"
"""What a namespace is called before the id of the process that made it; an interface's name has 15 characters."""


def obstacle() -> str | None:
    """What keeps disks and networks from being made here, in words, or None."""
    if os.geteuid() != 0:
        return "needs root"
    for command in (["unshare", "--net", "true"], ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]):
        if shutil.which(command[0]) is None or subprocess.run(command, capture_output=True, check=False).returncode:
            return f"not allowed: {' '.join(command)}"
    return None if shutil.which("ip") else "not found: ip (Debian: iproute2)"


class Disk:
    """A file system in memory of so many MiB, which can be filled and freed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """Leave no byte."""
        with self._ballast.open("wb", buffering=0) as file:
            for size in (_MIB, 4096, 1):
                try:
                    while file.write(b"\0" * size):
                        pass
                except OSError:
                    continue

    def free(self) -> None:
        """Give back what :meth:`fill` took."""
        self._ballast.unlink()


@contextmanager
def disk(folder: Path, mebibytes: int) -> Iterator[Disk]:
    """Mount a disk on a folder."""
    folder.mkdir()
    _run("mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "logwarden-chaos", str(folder))
    try:
        yield Disk(folder)
    finally:
        _run("umount", "--lazy", str(folder))


class Network:
    """A namespace with an address, behind a cable that can be pulled out."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.here, self.there = "10.213.77.1", "10.213.77.2"
        self._cable = f"{name}-c"

    def cut(self) -> None:
        """Let every packet be lost."""
        self._inside("link", "set", "eth0", "down")

    def mend(self) -> None:
        """Let packets through again."""
        self._inside("link", "set", "eth0", "up")

    def open(self) -> None:
        """Make it."""
        _run("ip", "netns", "add", self.name)
        _run("ip", "link", "add", self._cable, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        _run("ip", "address", "add", f"{self.here}/30", "dev", self._cable)
        _run("ip", "link", "set", self._cable, "up")
        self._inside("address", "add", f"{self.there}/30", "dev", "eth0")
        self._inside("link", "set", "lo", "up")
        self._inside("link", "set", "eth0", "up")

    def close(self) -> None:
        """Remove it, with what still runs in it."""
        inside = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True, check=False)
        for pid in map(int, inside.stdout.split()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        # Not left to the kernel, which would remove it some time after the last process in there.
        for end in (("link", "del", self._cable), ("netns", "del", self.name)):
            subprocess.run(["ip", *end], capture_output=True, check=False)

    def _inside(self, *command: str) -> None:
        _run("ip", "-n", self.name, *command)


@contextmanager
def network() -> Iterator[Network]:
    """Make a network, after those that runs which were killed have left are gone: its addresses would be taken."""
    for left in _NAMESPACES.glob(f"{_PREFIX}*"):
        if not Path("/proc", left.name.removeprefix(_PREFIX)).exists():
            Network(left.name).close()
    made = Network(f"{_PREFIX}{os.getpid()}")
    try:
        made.open()
        yield made
    finally:
        made.close()


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
