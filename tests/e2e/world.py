"""What the story's steps need: waiting, sending, counting, and the timeline."""

from __future__ import annotations

import json
import secrets
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.e2e.documents import TRAFFIC
from tests.services.kind import KindCluster

IN_POD = Path(__file__).with_name("in_pod.py").read_text()
SERVERS = "kafka.logwarden-demo.svc:9092"
TOPIC, DEAD_LETTERS = "netlogs-raw", "netlogs-raw.dlq"
_PART = 2000
"""Lines that are sent by one command in the pod."""
ADDRESS = {"tcp": "campus-collector.default.svc:5514", "http": "http://campus-ingest.default.svc:8080/v1/logs"}


class Timeline:
    """When what happened, in seconds since the two documents were applied."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._marks: list[tuple[float, str]] = []

    def start(self) -> None:
        """Count from now on; what was marked before lies before zero."""
        now = time.monotonic()
        self._marks = [(at - (now - self._began), what) for at, what in self._marks]
        self._began = now

    def mark(self, what: str) -> None:
        """Note that something has happened."""
        self._marks.append((time.monotonic() - self._began, what))

    def __str__(self) -> str:
        return "\n".join(f"{at:+8.1f} s  {what}" for at, what in sorted(self._marks))


class World:
    """The cluster with the pipeline of the story."""

    def __init__(self, cluster: KindCluster) -> None:
        self.cluster = cluster
        self.timeline = Timeline()
        self.sent = {"tcp": 0, "http": 0}
        self._run = secrets.token_hex(4)

    def start_sender(self) -> None:
        """Make the pod from which lines are sent."""
        self.cluster.kubectl("apply", "--filename", "-", given=TRAFFIC)
        where = ("--namespace", "logwarden-demo")
        self.cluster.kubectl(*where, "wait", "--for=condition=Ready", "pod/sender", "--timeout=120s")

    def in_pod(self, *arguments: str, seconds: float = 400) -> dict[str, Any]:
        """Run in_pod.py there, and return what it says."""
        where = ("--namespace", "logwarden-demo", "exec", "--stdin", "sender", "--")
        said = self.cluster.kubectl(*where, "python", "-", self._run, *arguments, given=IN_POD, seconds=seconds)
        found: dict[str, Any] = json.loads(said)
        return found

    def send(self, way: str, lines: int, rate: float) -> dict[str, Any]:
        """Send the next numbered lines, and return when they are sent."""
        first, self.sent[way] = self.sent[way], self.sent[way] + lines
        return self.in_pod(way, ADDRESS[way], str(first), str(self.sent[way]), str(rate))

    def sending(self, way: str, rate: float) -> Stream:
        """Send numbered lines while other things happen, until told to finish."""
        return Stream(lambda: self.send(way, _PART, rate))

    def count(self) -> dict[str, dict[str, int]]:
        """Return what Kafka holds."""
        return self.in_pod("count", SERVERS, TOPIC, DEAD_LETTERS)

    def stored(self) -> dict[str, int]:
        """Return the product's own count in the database: lines scored, rejected and lost."""
        wanted = "name ~ '^(scored|rejected|lost)/'"
        rows = self.cluster.sql(f"SELECT split_part(name, '/', 1), sum(value) FROM counters WHERE {wanted} GROUP BY 1")
        return {name: int(value) for name, value in (row.split("|") for row in rows.splitlines())}

    def condition(self, kind: str, type_: str) -> dict[str, Any]:
        """Return a condition of one of the two resources."""
        status = self.cluster.get(kind, "campus").get("status") or {}
        found = (one for one in status.get("conditions", []) if one["type"] == type_)
        return next(found, {})

    def holds(self, kind: str, type_: str) -> bool:
        """Whether a condition is True."""
        return self.condition(kind, type_).get("status") == "True"

    def kill(self, component: str, namespace: str = "default") -> str:
        """Kill a pod of a component after a second, and return its name when another one is ready in its place."""
        before = self.ready(component, namespace)
        assert before, f"no {component} is ready"
        where = ("--namespace", namespace)
        self.cluster.kubectl(*where, "delete", "pod", before[0], "--grace-period=1")
        eventually(lambda: set(self.ready(component, namespace)) - set(before), f"another {component} is ready", 300)
        return before[0]

    def ready(self, component: str, namespace: str = "default") -> list[str]:
        """Return the names of the ready pods of a component."""
        return [pod["metadata"]["name"] for pod in self.cluster.pods(component, namespace) if _is_ready(pod)]


class Stream:
    """Lines that are being sent, part after part, until it is told to finish."""

    def __init__(self, send_part: Callable[[], dict[str, Any]]) -> None:
        self._send_part = send_part
        self._retries = 0
        self._error: BaseException | None = None
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def finish(self) -> int:
        """Wait for the end of the last part, and return how many requests were tried again."""
        self._enough.set()
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._retries

    def _run(self) -> None:
        try:
            while not self._enough.is_set():
                self._retries += self._send_part()["retries"]
        except (AssertionError, subprocess.SubprocessError, ValueError) as error:
            self._error = error


def _is_ready(pod: dict[str, Any]) -> bool:
    conditions = (pod.get("status") or {}).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def eventually(true: Callable[[], Any], what: str, seconds: float = 120) -> Any:
    """Wait until something is true, and return it; what fails meanwhile is tried again."""
    deadline, last = time.monotonic() + seconds, ""
    while time.monotonic() < deadline:
        try:
            if found := true():
                return found
        except (AssertionError, KeyError, IndexError) as error:
            last = f"; last: {error}"
        time.sleep(1.0)
    raise AssertionError(f"not within {seconds:.0f} s: {what}{last}")
