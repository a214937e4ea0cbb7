"""Hosts made of Linux namespaces: start one, run programs in it, write its files."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "TZ": "UTC",
    "TERM": "dumb",
}
UNSHARE = (
    "unshare",
    "--pid",
    "--mount",
    "--uts",
    "--ipc",
    "--net",
    "--fork",
    "--kill-child",
    "--mount-proc",
)

# Runs as the host's first process. /etc and /var become private copies, /dev and /run are
# new; the shell stays to collect orphans, and with it the kernel ends every process.
_BOOT = r"""
set -e
mount --make-rprivate /
hostname "$1"
mkdir -p /run
{ [ -z "$2" ] || mount --bind "$2" /mnt; }
mount -t tmpfs -o mode=755 tmpfs /run
for d in etc var; do
  mkdir -p /run/.private/$d/upper /run/.private/$d/work
  mount -t overlay overlay \
    -o lowerdir=/$d,upperdir=/run/.private/$d/upper,workdir=/run/.private/$d/work /$d
done
mount -t tmpfs -o mode=755,size=16m tmpfs /var/log
mkdir -p /run/lock /run/sshd /run/.dev
mount -t tmpfs -o mode=755 tmpfs /run/.dev
cd /run/.dev
mknod -m 666 null c 1 3; mknod -m 666 zero c 1 5; mknod -m 666 full c 1 7
mknod -m 666 random c 1 8; mknod -m 666 urandom c 1 9; mknod -m 666 tty c 5 0
mkdir pts shm net
ln -s pts/ptmx ptmx; ln -s /proc/self/fd fd
ln -s fd/0 stdin; ln -s fd/1 stdout; ln -s fd/2 stderr
mount -t devpts -o newinstance,ptmxmode=0666 devpts pts
mount -t tmpfs tmpfs shm
mount --move /run/.dev /dev
cd /
ip link set lo up
echo 1 > /proc/sys/net/ipv4/ip_forward
echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter
echo 0 > /proc/sys/net/ipv4/conf/default/rp_filter
echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6
touch /run/.booted
trap 'exit 0' TERM
while :; do sleep 86400 & wait $!; done
"""


class Namespace:
    """A running host.

    Parameters
    ----------
    name
        Host name inside.
    share
        A folder of the machine that the host sees as ``/mnt``.
    """

    def __init__(self, name: str, share: Path | None = None) -> None:
        self.name = name
        self._process = subprocess.Popen(
            [*UNSHARE, "bash", "-c", _BOOT, "boot", name, str(share or "")],
            stdin=subprocess.DEVNULL,
            env=ENVIRONMENT,
            start_new_session=True,
        )
        self.pid = 0

    def wait_booted(self, timeout: float = 30.0) -> None:
        """Wait until the first process has prepared the host.

        Raises
        ------
        RuntimeError
            If it has ended or does not get ready in time.
        """
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            self.pid = self.pid or _first_child(self._process.pid)
            if self.pid and self.path("/run/.booted").exists():
                return
            time.sleep(0.02)
        raise RuntimeError(f"host {self.name} did not start")

    def path(self, inside: str) -> Path:
        """The host's file `inside` as seen from out here (not through absolute symlinks)."""
        return Path(f"/proc/{self.pid}/root") / inside.lstrip("/")

    def write(self, inside: str, text: str, mode: int = 0o644, owner: str | None = None) -> None:
        """Create or replace a file of the host."""
        target = self.path(inside)
        target.parent.mkdir(parents=True, exist_ok=True)
        # A symlink such as /etc/resolv.conf must not lead the write elsewhere.
        target.unlink(missing_ok=True)
        target.write_text(text)
        target.chmod(mode)
        if owner is not None:
            self.run("chown", owner, inside, check=True)

    def command(self, argv: Sequence[str]) -> list[str]:
        """`argv` wrapped so that it runs inside."""
        flags = ("--mount", "--uts", "--ipc", "--net", "--pid")
        return ["nsenter", "--target", str(self.pid), *flags, "--", *argv]

    def run(self, *argv: str, timeout: float = 30.0, check: bool = False) -> subprocess.CompletedProcess[str]:
        """Run a program inside to its end and return what it wrote."""
        try:
            return subprocess.run(
                self.command(argv),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                env=ENVIRONMENT,
                timeout=timeout,
                check=check,
            )
        except subprocess.TimeoutExpired:
            if check:
                raise
            return subprocess.CompletedProcess(list(argv), 124, "", "timed out")

    def shell(self, script: str, timeout: float = 30.0) -> subprocess.CompletedProcess[str]:
        """Run a shell script inside."""
        return self.run("bash", "-c", script, timeout=timeout)

    def spawn(
        self, *argv: str, output: IO[bytes] | None = None, extra: dict[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a program inside and leave it running."""
        sink = output if output is not None else subprocess.DEVNULL
        return subprocess.Popen(
            self.command(argv),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            env=ENVIRONMENT | (extra or {}),
            start_new_session=True,
        )

    def stop(self) -> None:
        """End the host: the kernel takes its processes, mounts and interfaces with it."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()


def _first_child(pid: int) -> int:
    """The first child of a process, or 0."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            return int(status.parent.name)
    return 0


def own_repository() -> str:
    """Folder from which ``-m lab`` can be run again inside a host."""
    return str(Path(__file__).resolve().parents[1])
