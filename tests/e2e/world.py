"""What the story's steps need: waiting, sending, counting, and the timeline."""

from __future__ import annotations

import json
import secrets
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tests.e2e.documents import TRAFFIC
from tests.services.kind import DEMO, KindCluster

IN_POD = Path(__file__).with_name("in_pod.py").read_text()
SERVERS = "kafka.logwarden-demo.svc:9092"
TOPIC, DEAD_LETTERS = "netlogs-raw", "netlogs-raw.dlq"
_PART = 5000
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


class Judged(NamedTuple):
    """The detectors' account of a moment, by partition: lines scored, rejected and lost, and where they read on."""

    scored: dict[str, int]
    rejected: dict[str, int]
    lost: dict[str, int]
    position: dict[str, int]

    @property
    def lines(self) -> dict[str, int]:
        """How many lines of each partition are accounted for."""
        counts = (self.scored, self.rejected, self.lost)
        return {partition: sum(one.get(partition, 0) for one in counts) for partition in self.position}


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
        where = ("--namespace", DEMO)
        self.cluster.kubectl(*where, "wait", "--for=condition=Ready", "pod/sender", "--timeout=120s")

    def in_pod(self, *arguments: str, seconds: float = 400) -> dict[str, Any]:
        """Run in_pod.py there, and return what it says."""
        where = ("--namespace", DEMO, "exec", "--stdin", "sender", "--")
        said = self.cluster.kubectl(*where, "python", "-", self._run, *arguments, given=IN_POD, seconds=seconds)
        found: dict[str, Any] = json.loads(said)
        return found

    def send(self, way: str, lines: int, rate: float) -> Counter[str]:
        """Send the next numbered lines, and return when the product has counted as many.

        Return for which reasons how many requests were sent again.
        """
        before = self._received() if way == "tcp" else 0
        first, self.sent[way] = self.sent[way], self.sent[way] + lines
        said = self.in_pod(way, ADDRESS[way], str(first), str(self.sent[way]), str(rate))
        if way == "tcp":
            eventually(lambda: self._received() - before >= lines, f"the collector has counted {lines} lines")
        taken = self._received() - before if way == "tcp" else said["taken"]
        assert taken == lines, f"{way}: {lines} lines were sent, and {taken} counted"
        return Counter(said.get("again", {}))

    def sending(self, way: str, rate: float, at_least: int = 0) -> Stream:
        """Send numbered lines while other things happen, until there are enough and it is told to finish."""
        enough = self.sent[way] + at_least
        return Stream(lambda: self.send(way, _PART, rate), lambda: self.sent[way] >= enough)

    def _received(self) -> int:
        """Return how many lines the collector has counted at the listener that ``send`` uses."""
        name = "logwarden_collector_received_total"
        # The counters of a collector that has just started come a moment after it is ready.
        return eventually(lambda: [int(self.cluster.metric("collector", name, listener="tcp"))], "counters")[0]

    def count(self, positions: dict[str, int] | None = None) -> dict[str, dict[str, int]]:
        """Return what Kafka holds: all, or what lies before a position of each partition."""
        return self.in_pod("count", SERVERS, TOPIC, DEAD_LETTERS, json.dumps(positions or {}))

    def judged(self) -> Judged:
        """Return the product's own account in the database. One statement: all of it is of one moment."""
        counts = "SELECT split_part(name, '/', 1), split_part(name, '/', 3), value FROM counters"
        places = "SELECT 'position', split_part(stream, '/', 2), next FROM positions"
        wanted = f"name ~ '^(scored|rejected|lost)/{TOPIC}/'"
        rows = self.cluster.sql(f"{counts} WHERE {wanted} UNION ALL {places} WHERE stream ~ '^{TOPIC}/'").splitlines()
        found = Judged({}, {}, {}, {})
        for name, partition, value in (row.split("|") for row in rows):
            getattr(found, name)[partition] = int(value)
        return found

    def late(self, seconds: float) -> int:
        """Return how many lines were stored later after they were received, as the running detectors count them."""
        name = "logwarden_receive_to_stored_seconds_bucket"
        return int(
            self.cluster.metric("detector", name, le="+Inf") - self.cluster.metric("detector", name, le=f"{seconds}")
        )

    def condition(self, kind: str, type_: str) -> dict[str, Any]:
        """Return a condition of one of the two resources."""
        status = self.cluster.get(kind, "campus").get("status") or {}
        found = (one for one in status.get("conditions", []) if one["type"] == type_)
        return next(found, {})

    def holds(self, kind: str, type_: str) -> bool:
        """Whether a condition is True."""
        return self.condition(kind, type_).get("status") == "True"

    def kill(self, component: str, namespace: str = "default") -> str:
        """Kill a pod of a component as the loss of its node does, and return its name when another one is ready.

        Its processes get no signal that they could answer.
        """
        before = self.ready(component, namespace)
        assert before, f"no {component} is ready"
        for container in before[0]["status"]["containerStatuses"]:
            identity = container["containerID"].removeprefix("containerd://")
            self.cluster.on_node("ctr", "--namespace", "k8s.io", "tasks", "kill", "--signal", "SIGKILL", identity)
        name: str = before[0]["metadata"]["name"]
        self.cluster.kubectl("--namespace", namespace, "delete", "pod", name, "--grace-period=1")
        known = {uid(pod) for pod in before}
        another = f"another {component} is ready"
        eventually(lambda: {uid(pod) for pod in self.ready(component, namespace)} - known, another, 300)
        return name

    def ready(self, component: str, namespace: str = "default") -> list[dict[str, Any]]:
        """Return the ready pods of a component."""
        return [pod for pod in self.cluster.pods(component, namespace) if _is_ready(pod)]


class Stream:
    """Lines that are being sent, part after part, until there are enough and it is told to finish."""

    def __init__(self, send_part: Callable[[], Counter[str]], enough: Callable[[], bool]) -> None:
        self._send_part, self._enough = send_part, enough
        self._again: Counter[str] = Counter()
        self._error: BaseException | None = None
        self._finish = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def finish(self) -> Counter[str]:
        """Wait for the end of the last part, and return for which reasons how many requests were sent again."""
        self._finish.set()
        self._thread.join()
        self.check()
        return self._again

    def check(self) -> None:
        """Raise what ended it before its time, if something did."""
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            while not (self._finish.is_set() and self._enough()):
                self._again += self._send_part()
        except (AssertionError, subprocess.SubprocessError, ValueError) as error:
            self._error = error


def uid(pod: dict[str, Any]) -> str:
    """Return what tells a pod from another of the same name."""
    return str(pod["metadata"]["uid"])


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
