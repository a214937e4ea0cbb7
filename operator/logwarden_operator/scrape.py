"""Read the metrics of pods, at their own addresses: bounded in time, size and number, and never more than looked for.

Why not through the API server or Prometheus: docs/decisions/0008-counters-from-pods.md.
"""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import aiohttp

from logwarden_operator.ownership import COMPONENT, OWNER_KIND, OWNER_NAME, OWNER_NAMESPACE, Child, Key

PORT_NAME = "metrics"
_SECONDS = 3.0
_MOST_BYTES = 4 * 1024 * 1024
_AT_ONCE = 32

RECEIVED, WRITTEN = "logwarden_collector_received_total", "logwarden_collector_written_total"
QUEUED, DROPPED = "logwarden_collector_queued", "logwarden_collector_dropped_total"
KERNEL_DROPPED = "logwarden_collector_kernel_dropped_total"
TAKEN, UNREADABLE = "logwarden_ingest_lines_total", "logwarden_ingest_rejected_total"
SENT, WAITING = "logwarden_ingest_sink_lines_total", "logwarden_ingest_waiting_lines"
STORED, REJECTED = "logwarden_lines_stored_total", "logwarden_lines_rejected_total"
LOST, ANOMALIES, LAG = "logwarden_lines_lost_total", "logwarden_anomalies_total", "logwarden_lag_lines"
TRAINED, REMAINING = "logwarden_training_done_ratio", "logwarden_training_remaining_seconds"
SUMMED = frozenset({
    RECEIVED, WRITTEN, QUEUED, DROPPED, KERNEL_DROPPED, TAKEN, UNREADABLE, WAITING, STORED, REJECTED, LOST, ANOMALIES,
    LAG,
})  # fmt: skip
BY_LABEL = {SENT: "stage", TRAINED: "step", REMAINING: "step"}
"""Metrics of which each value of a label is told apart: ``NAME{VALUE}``."""


class Target(NamedTuple):
    """A running pod that serves metrics; ``started`` is Unix seconds."""

    owner: Key
    component: str
    pod: str
    uid: str
    started: float
    ready: bool
    url: str


class Reading(NamedTuple):
    """What a pod said; ``problem`` tells why it said nothing."""

    target: Target
    values: dict[str, float]
    problem: str = ""


def targets(pods: Iterable[Child]) -> list[Target]:
    """Return the pods that can be asked: those that run, have an address and a port called ``metrics``."""
    found = (_target(pod) for pod in pods)
    return [target for target in found if target is not None]


def _target(pod: Child) -> Target | None:
    metadata, status = pod["metadata"], pod.get("status") or {}
    labels = metadata.get("labels", {})
    address, port = status.get("podIP"), _port(pod)
    kind = labels.get(OWNER_KIND)
    known = kind in ("AnomalyModel", "LogPipeline") and labels.get(OWNER_NAMESPACE) == metadata["namespace"]
    if not known or not address or port is None or status.get("phase") != "Running":
        return None
    conditions = {one["type"]: one["status"] for one in status.get("conditions", [])}
    host = f"[{address}]" if ":" in address else address
    return Target(
        Key(kind, metadata["namespace"], labels.get(OWNER_NAME, "")),
        labels.get(COMPONENT, ""),
        metadata["name"],
        metadata["uid"],
        _unix(status.get("startTime") or metadata["creationTimestamp"]),
        conditions.get("Ready") == "True",
        f"http://{host}:{port}/metrics",
    )


def _port(pod: Child) -> int | None:
    for container in pod["spec"]["containers"]:
        for port in container.get("ports", []):
            if port.get("name") == PORT_NAME:
                return int(port["containerPort"])
    return None


def _unix(time: str) -> float:
    return datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp()


async def scrape(wanted: list[Target]) -> list[Reading]:
    """Ask all pods, some at a time."""
    limit = asyncio.Semaphore(_AT_ONCE)
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    # trust_env stays off: pods are reached directly, whatever proxy the cluster has for the way out.
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=_AT_ONCE)) as session:

        async def ask(target: Target) -> Reading:
            async with limit:
                return await _ask(session, target)

        return list(await asyncio.gather(*(ask(target) for target in wanted)))


async def _ask(session: aiohttp.ClientSession, target: Target) -> Reading:
    try:
        async with session.get(target.url, allow_redirects=False) as answer:
            if answer.status != 200:
                return Reading(target, {}, f"HTTP {answer.status}")
            body = bytearray()
            async for part in answer.content.iter_chunked(65536):
                body += part
                if len(body) > _MOST_BYTES:
                    return Reading(target, {}, f"more than {_MOST_BYTES // 1024**2} MiB of metrics")
    except TimeoutError:
        return Reading(target, {}, f"no answer within {_SECONDS:.0f} s")
    except (aiohttp.ClientError, OSError) as error:
        return Reading(target, {}, type(error).__name__)
    return Reading(target, parse(body.decode("utf-8", "replace")))


def parse(text: str) -> dict[str, float]:
    """Return the sum of each metric that is looked for, over its labels, from Prometheus' text format."""
    values: dict[str, float] = defaultdict(float)
    for line in text.splitlines():
        name, labels, value = _split(line)
        if name in SUMMED:
            values[name] += value
        elif label := BY_LABEL.get(name):
            values[f"{name}{{{_value_of(labels, label)}}}"] += value
    return values


def _split(line: str) -> tuple[str, str, float]:
    head, _, number = line.rpartition(" ")
    name, _, labels = head.partition("{")
    if name not in SUMMED and name not in BY_LABEL:
        return "", "", 0.0
    try:
        value = float(number)
    except ValueError:
        return "", "", 0.0
    return (name, labels, value) if math.isfinite(value) else ("", "", 0.0)


def _value_of(labels: str, label: str) -> str:
    _, _, rest = labels.partition(f'{label}="')
    return rest.partition('"')[0]
