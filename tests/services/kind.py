"""A real cluster of kind for tests, made the way a user makes one: with scripts/cluster.sh.

Every command names the kubeconfig and the context that were made here, so no other cluster can be touched.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
NAME = "logwarden-e2e"
DEMO = "logwarden-demo"
"""The namespace of Kafka and PostgreSQL."""
IMAGES = os.environ.get("IMAGES", "operator detector ingest dashboard collector trainer").split()
"""The images of Logwarden that are in the cluster."""
_PROGRAMS = ("docker", "kind", "kubectl", "helm")
_UP_SECONDS = 2400

Object = dict[str, Any]


@cache
def obstacle() -> str | None:
    """Return what keeps a cluster from running here, in words, or None."""
    if missing := [program for program in _PROGRAMS if shutil.which(program) is None]:
        return f"not found: {', '.join(missing)}"
    asked = subprocess.run(["docker", "info"], capture_output=True, text=True, check=False)
    return None if asked.returncode == 0 else "docker does not run, or may not be used"


class KindCluster:
    """A cluster of one node, with Kafka, PostgreSQL and Logwarden's chart."""

    def __init__(self, folder: Path, name: str = NAME) -> None:
        assert name != "logwarden", "this is the name of a user's cluster"
        self.name, self._folder = name, folder
        self.context = f"kind-{name}"
        self.environment = {
            **os.environ,
            "CLUSTER": name,
            "CONFIG": str(self._config()),
            "CONTEXT": self.context,
            "KUBECONFIG": str(folder / "kubeconfig"),
            "IMAGES": " ".join(IMAGES),
            "GPU": "no",
        }

    def _config(self) -> Path:
        """Return the user's configuration with free ports of this machine: theirs may be in use."""
        path = self._folder / "kind-config.yaml"
        path.write_text(re.sub(r"hostPort: \d+", "hostPort: 0", (ROOT / "kind-config.yaml").read_text()))
        return path

    def exists(self) -> bool:
        """Whether a cluster of this name is there."""
        return self.name in self._run("kind", "get", "clusters").splitlines()

    def up(self, note: Callable[[str], None]) -> None:
        """Bring it up; ``note`` is told of each step that begins, and of each image that is built."""
        command = ["sh", "scripts/cluster.sh", "up", "kind"]
        said = []
        with subprocess.Popen(
            command, cwd=ROOT, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            limit = threading.Timer(_UP_SECONDS, process.kill)
            limit.start()
            for line in process.stdout or ():
                said.append(line)
                if line.startswith(("--- ", "localhost/")):
                    note(" ".join(line.split()))
            limit.cancel()
        assert process.returncode == 0, f"{' '.join(command)}: exit code {process.returncode}\n{''.join(said)[-6000:]}"

    def adopt(self) -> None:
        """Use the cluster of this name that is there already."""
        self._run("kind", "export", "kubeconfig", "--name", self.name)

    def down(self) -> None:
        """Delete it."""
        self._run("sh", "scripts/cluster.sh", "down", "kind")

    def script(self, name: str, *arguments: str, **environment: str) -> str:
        """Run one of the scripts that a user runs."""
        return self._run("sh", f"scripts/{name}", *arguments, more=environment)

    def kubectl(self, *arguments: str, given: str | bytes | None = None, seconds: float = 180) -> str:
        """Run kubectl against this cluster and no other; return its output."""
        return self._run("kubectl", "--context", self.context, *arguments, given=given, seconds=seconds)

    def helm(self, *arguments: str) -> str:
        """Run helm against this cluster."""
        return self._run("helm", "--kube-context", self.context, *arguments, seconds=400)

    def package(self, version: str) -> Path:
        """Return the chart as the release of a version, whose images are in the cluster: those that are there."""
        chart = ("charts/logwarden", "--version", version, "--app-version", version)
        self._run("helm", "package", *chart, "--destination", str(self._folder))
        for image in IMAGES:
            name = f"localhost/logwarden/{image}"
            self.on_node("ctr", "--namespace", "k8s.io", "images", "tag", "--force", f"{name}:dev", f"{name}:{version}")
        return self._folder / f"logwarden-{version}.tgz"

    def get(self, *arguments: str) -> Object:
        """Return what ``kubectl get`` says, as plain values."""
        found: Object = json.loads(self.kubectl("get", *arguments, "--output", "json"))
        return found

    def pods(self, component: str, namespace: str = "default") -> list[Object]:
        """Return the pods of a component that are not on their way out; those of Kafka and PostgreSQL are in DEMO."""
        selector = f"app={component}" if namespace == DEMO else f"app.kubernetes.io/name=logwarden-{component}"
        found = self.get("pods", "--namespace", namespace, "--selector", selector)["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def metric(self, component: str, name: str, **labels: str) -> float:
        """Return the sum of a metric over all pods of a component, of series with the given labels."""
        total = 0.0
        for pod in self.pods(component):
            path = f"/api/v1/namespaces/default/pods/{pod['metadata']['name']}:9090/proxy/metrics"
            for line in self.kubectl("get", "--raw", path).splitlines():
                found = re.fullmatch(rf"{name}(?:\{{(.*)\}})? (\S+)", line)
                wanted = [f'{key}="{value}"' for key, value in labels.items()]
                if found and all(one in (found[1] or "") for one in wanted):
                    total += float(found[2])
        return total

    def sql(self, statement: str) -> str:
        """Return what PostgreSQL answers, a row a line, with columns separated by ``|``."""
        command = 'PGPASSWORD=$(cat "$PASSWORD_FILE") exec psql -h 127.0.0.1 -U logs -d logs -Atc "$0"'
        where = ("--namespace", DEMO, "exec", "statefulset/postgres")
        return self.kubectl(*where, "--", "sh", "-c", command, statement).strip()

    def on_node(self, *command: str) -> str:
        """Run a command on the node."""
        return self._run("docker", "exec", f"{self.name}-control-plane", *command)

    def port(self, port: int, protocol: str = "tcp") -> int:
        """Return the port of this machine that leads to a port of the node."""
        listed = self._run("docker", "port", f"{self.name}-control-plane", f"{port}/{protocol}")
        return int(listed.split()[0].rpartition(":")[2])

    def _run(
        self,
        *command: str,
        given: str | bytes | None = None,
        seconds: float = 180,
        more: dict[str, str] | None = None,
    ) -> str:
        data = given.encode() if isinstance(given, str) else given
        done = subprocess.run(
            command,
            input=data,
            cwd=ROOT,
            env={**self.environment, **(more or {})},
            capture_output=True,
            timeout=seconds,
            check=False,
        )
        said, errors = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        what = f"{' '.join(command)[:300]}: exit code {done.returncode}"
        assert done.returncode == 0, f"{what}\n{said[-2000:]}{errors[-4000:]}"
        return said
