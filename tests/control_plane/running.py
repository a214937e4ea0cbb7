"""Installing the chart without helm's help from the cluster, running the operator, and waiting for what it does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests.services.apiserver import ApiServer, find, free_port

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "logwarden"
NAMESPACE = "logwarden"
OPERATOR_USER = f"system:serviceaccount:{NAMESPACE}:logwarden-operator"
_INSTALLED = {"CustomResourceDefinition", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"}

Object = dict[str, Any]


def render(*arguments: str) -> list[Object]:
    """Return the objects of the chart."""
    command = [find("helm") or "helm", "template", "logwarden", str(CHART), "--namespace", NAMESPACE, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def install(server: ApiServer, objects: list[Object]) -> None:
    """Put the chart's definitions and rights onto an API server."""
    server.kubectl("create", "namespace", NAMESPACE)
    wanted = [one for one in objects if one["kind"] in _INSTALLED]
    server.kubectl("apply", "--server-side", "-f", "-", given=yaml.safe_dump_all(wanted))
    server.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")


def settings_of(objects: list[Object]) -> str:
    """Return the operator's settings as the chart writes them."""
    return next(str(one["data"]["settings.yaml"]) for one in objects if "settings.yaml" in (one.get("data") or {}))


def strimzi_definitions() -> list[Path]:
    """Return the files with Strimzi's KafkaTopic and KafkaUser, where they are."""
    folder = Path(os.environ.get("LOGWARDEN_STRIMZI_CRDS", ROOT.parent / "shared" / "strimzi-crds"))
    return [*folder.glob("*Crd-kafkatopic.yaml"), *folder.glob("*Crd-kafkauser.yaml")]


OPERATOR_POD = "logwarden-operator-7c9d/5b0d8f0e-0c55-4d6c-9c46-2f4c1b6b6f0a"
"""Name and uid of the pod that the operator thinks it runs in."""


class Operator:
    """The operator as a process of its own, with the rights of the chart."""

    def __init__(self, server: ApiServer, folder: Path, objects: list[Object] | None = None) -> None:
        self.server, self._folder = server, folder
        self._settings = settings_of(objects or render())
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """Everything it logged, over all starts."""
        path = self._folder / "operator.log"
        return path.read_text() if path.exists() else ""

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> float:
        """Start, wait until it is healthy, and return the seconds that took."""
        settings = self._folder / "settings.yaml"
        settings.write_text(self._settings)
        environment = {**os.environ, "KUBECONFIG": str(self.server.kubeconfig(OPERATOR_USER))}
        command = [sys.executable, "-m", "logwarden_operator", "--settings", str(settings), "--port", str(self.port)]
        command += ["--pod", OPERATOR_POD]
        began = time.monotonic()
        with (self._folder / "operator.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        eventually(lambda: self.get("/healthz") == "ok\n", "the operator is healthy", self)
        return time.monotonic() - began

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Stop, and return the exit code."""
        assert self._process is not None
        self._process.send_signal(how)
        return self._process.wait(timeout=60)

    def get(self, path: str) -> str:
        """Return what its HTTP endpoint says, empty where it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    def metric(self, name: str) -> float:
        """Return the sum of a metric over its labels."""
        lines = [line for line in self.get("/metrics").splitlines() if line.startswith((f"{name} ", f"{name}{{"))]
        return sum(float(line.rpartition(" ")[2]) for line in lines)


def eventually(true: Callable[[], object], what: str, operator: Operator | None = None, seconds: float = 60) -> Any:
    """Wait until something is true, and return it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if found := true():
                return found
        except (AssertionError, KeyError, StopIteration, IndexError):
            pass  # not there yet
        time.sleep(0.2)
    log = f"\n{operator.log[-3000:]}" if operator else ""
    raise AssertionError(f"not within {seconds:.0f} s: {what}{log}")


def condition(resource: Object, type_: str) -> Object:
    """Return a condition of a resource, empty where it has none."""
    found = (resource.get("status") or {}).get("conditions", [])
    return next((one for one in found if one["type"] == type_), {})
