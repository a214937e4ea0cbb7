"""A real kube-apiserver with its etcd, for tests: RBAC, admission of CRDs and server-side apply are real only there.

The programs are looked for in ``KUBEBUILDER_ASSETS``, as other projects do, and then on PATH.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import yaml

ADMIN = "admin"
_PROGRAMS = ("kube-apiserver", "etcd", "kubectl", "helm")
_START_SECONDS = 120


def find(program: str) -> str | None:
    """Return the path of a program, or None."""
    assets = os.environ.get("KUBEBUILDER_ASSETS", "")
    return shutil.which(program, path=assets) or shutil.which(program) if assets else shutil.which(program)


def obstacle() -> str | None:
    """Return what keeps an API server from running here, in words, or None."""
    missing = [program for program in _PROGRAMS if find(program) is None]
    where = (
        "KUBEBUILDER_ASSETS and PATH" if "KUBEBUILDER_ASSETS" in os.environ else "PATH; KUBEBUILDER_ASSETS is not set"
    )
    return f"not found: {', '.join(missing)} (looked in {where})" if missing else None


def free_port() -> int:
    """Return a port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ApiServer:
    """An API server without nodes: objects are validated and stored, and nothing runs.

    Users are given at the start, each with a token and groups; ``admin`` may do everything.
    """

    def __init__(self, folder: Path, users: dict[str, list[str]] | None = None) -> None:
        self.folder = folder
        self._users = {ADMIN: ["system:masters"], **(users or {})}
        self._tokens = {user: secrets.token_hex(16) for user in self._users}
        self._port, self._etcd = 0, ""
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start etcd and the API server, and wait until it is ready."""
        self._etcd = self._start_etcd()
        self._port = free_port()
        self._write_credentials()
        subprocess.run(["openssl", "genrsa", "-out", str(self._keys), "2048"], capture_output=True, check=True)
        self.start_again()

    @property
    def _keys(self) -> Path:
        return self.folder / "service-account.key"

    def kill(self) -> None:
        """Kill the API server; etcd goes on."""
        process = self._processes.pop()
        process.kill()
        process.wait(timeout=60)

    def start_again(self) -> None:
        """Start the API server on its port and data, and wait until it is ready."""
        self._run(
            "kube-apiserver",
            f"--etcd-servers={self._etcd}",
            f"--secure-port={self._port}",
            "--bind-address=127.0.0.1",
            f"--cert-dir={self.folder / 'certificates'}",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-signing-key-file={self._keys}",
            f"--service-account-key-file={self._keys}",
            "--service-cluster-ip-range=10.96.0.0/16",
            # Without controllers nobody makes the account that pods would run as.
            "--disable-admission-plugins=ServiceAccount",
        )
        self._wait()

    def stop(self) -> None:
        """Stop both at once: told to end, an API server would wait a minute for those who watch it."""
        for process in reversed(self._processes):
            process.kill()
        for process in reversed(self._processes):
            process.wait(timeout=60)

    def kubeconfig(self, user: str = ADMIN) -> Path:
        """Return a kubeconfig of one user."""
        path = self.folder / f"{user.replace(':', '_')}.kubeconfig"
        authority = self.folder / "certificates" / "apiserver.crt"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "clusters": [
                {
                    "name": "test",
                    "cluster": {
                        "server": f"https://127.0.0.1:{self._port}",
                        "certificate-authority": str(authority),
                    },
                }
            ],
            "users": [{"name": "test", "user": {"token": self._tokens[user]}}],
        }
        path.write_text(yaml.safe_dump(config))
        return path

    def kubectl(self, *arguments: str, given: str | None = None, user: str = ADMIN, check: bool = True) -> str:
        """Run kubectl; return its output, with errors where ``check`` is False."""
        command = [find("kubectl") or "kubectl", f"--kubeconfig={self.kubeconfig(user)}", *arguments]
        done = subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0 or not check, f"{' '.join(arguments)}: {done.stderr}"
        return done.stdout if check else done.stdout + done.stderr

    def get(self, *arguments: str) -> dict[str, Any]:
        """Return what ``kubectl get`` says, as plain values."""
        found: dict[str, Any] = yaml.safe_load(self.kubectl("get", *arguments, "-o", "json"))
        return found

    def _start_etcd(self) -> str:
        client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        self._run(
            "etcd",
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            # The tests' data may be lost with the machine.
            "--unsafe-no-fsync",
        )
        return client

    def _write_credentials(self) -> None:
        rows = [
            f'{self._tokens[user]},{user},{index},"{",".join(groups)}"'
            for index, (user, groups) in enumerate(self._users.items())
        ]
        path = self.folder / "tokens.csv"
        path.write_text("\n".join(rows) + "\n")
        path.chmod(0o600)

    def _run(self, program: str, *arguments: str) -> None:
        with (self.folder / f"{program}.log").open("wb") as log:
            command = [find(program) or program, *arguments]
            self._processes.append(subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT))

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        certificate = self.folder / "certificates" / "apiserver.crt"
        while time.monotonic() < deadline:
            if certificate.exists() and "ok" in self.kubectl("get", "--raw", "/readyz", check=False):
                return
            assert all(process.poll() is None for process in self._processes), self._last_words()
            time.sleep(0.3)
        raise AssertionError(f"the API server is not ready: {self._last_words()}")

    def _last_words(self) -> str:
        logs = (self.folder / f"{program}.log" for program in ("etcd", "kube-apiserver"))
        return "\n".join(log.read_text(errors="replace")[-2000:] for log in logs if log.exists())
