"""Measure the operator on a real API server: ``python -m benchmarks.operator_scale [--count 200] [--out FOLDER]``.

Needs kube-apiserver, etcd, kubectl and helm, as the test suite ``cluster`` does. The API server has no controllers and
no nodes, so nothing but the operator works on the resources.
"""

from __future__ import annotations

import argparse
import json
import signal
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.machine import describe
from tests.control_plane.documents import MODEL, PIPELINE, apply, make_secret
from tests.control_plane.running import NAMESPACE, OPERATOR_USER, Operator, condition, eventually, install, render
from tests.control_plane.test_wrong_specs_in_cluster import WRONG_MODELS, WRONG_PIPELINES, complaints
from tests.services.apiserver import ApiServer

_NAMESPACE = "scale"
_LONGEST_SECONDS = 600.0
_IDLE_SECONDS = 60.0
_RECONCILES = "logwarden_operator_reconcile_seconds_count"
_WRITES = "logwarden_operator_writes_total"

Values = dict[str, Any]


def main() -> int:
    """Measure, write the result and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.operator_scale", description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="resources of each kind (default 200)")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", help="folder for the result")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = ApiServer(Path(folder), {OPERATOR_USER: ["system:serviceaccounts"]})
        try:
            server.start()
            install(server, render())
            values = _measure(server, Path(folder), options.count)
        finally:
            server.stop()
    result = {
        "benchmark": "operator",
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": describe(),
        **values,
    }
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "operator.json").write_text(json.dumps(result, indent=2) + "\n")
    for name, value in values.items():
        print(f"{name:<44} {value}")
    return 0


def _measure(server: ApiServer, folder: Path, count: int) -> Values:
    server.kubectl("create", "namespace", _NAMESPACE)
    make_secret(server, _NAMESPACE)
    documents = [text.replace("campus", f"r{number}") for number in range(count) for text in (MODEL, PIPELINE)]
    apply(server, _NAMESPACE, *documents)
    operator = Operator(server, folder)
    start_seconds = operator.start()
    start_cpu = _cpu_seconds(operator)
    first = _seconds_until(lambda: _all_reported(server, count))
    all_cpu = _cpu_seconds(operator)
    _settle(operator)
    slowest = _slowest_refusal(server, operator)
    peak = _peak_megabytes(operator.pid)
    operator.stop(signal.SIGTERM)
    began = time.monotonic()
    operator.start()
    _seconds_until(lambda: operator.metric(_RECONCILES) >= 2 * count and _queue(operator) == 0)
    second = time.monotonic() - began
    _settle(operator)
    idle = _idle_share(operator)
    writes = operator.metric(_WRITES)
    beats = (time.monotonic() - began) / 15 + 2
    operator.stop(signal.SIGTERM)
    return {
        "resources": 2 * count,
        "children": len(server.kubectl("get", "deploy,ds,svc,cm,pdb,netpol", "-n", _NAMESPACE, "-o", "name").split()),
        "start_seconds": round(start_seconds, 1),
        "start_cpu_seconds": round(start_cpu, 2),
        "seconds_until_all_children_and_statuses": round(first, 1),
        "cpu_seconds_until_all_children_and_statuses": round(all_cpu - start_cpu, 1),
        "wrong_specs": len(WRONG_PIPELINES) + len(WRONG_MODELS),
        "seconds_until_the_slowest_wrong_spec_is_reported": slowest,
        "seconds_of_a_restart_until_all_looked_at": round(second, 1),
        "writes_after_a_restart_beside_heartbeats": max(0, round(writes - beats)),
        "peak_megabytes": round(peak),
        "idle_percent_of_a_core": round(idle * 100, 2),
    }


def _slowest_refusal(server: ApiServer, operator: Operator) -> int:
    """Return the most seconds between a wrong spec's coming and its False condition, both by the API server's clock."""
    taken = []
    for number, (words, text) in enumerate([*WRONG_PIPELINES.items(), *WRONG_MODELS.items()]):
        namespace = f"wrong-{number}"
        server.kubectl("create", "namespace", namespace)
        make_secret(server, namespace)
        kind = "lpipe" if words in WRONG_PIPELINES else "amodel"
        apply(server, namespace, *([MODEL] if kind == "lpipe" else []), text)
        eventually(lambda k=kind, n=namespace, w=words: w in complaints(server, n, k), words, operator)  # type: ignore[misc]
        found = server.get(kind, "campus", "-n", namespace)
        ready = condition(found, "Ready")["lastTransitionTime"]
        server.kubectl("delete", "amodel,lpipe", "--all", "-n", namespace)  # they are looked at again and again
        taken.append(_moment(ready) - _moment(found["metadata"]["creationTimestamp"]))
    return round(max(taken))


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _all_reported(server: ApiServer, count: int) -> bool:
    items = server.get("amodel,lpipe", "-n", _NAMESPACE)["items"]
    return sum(bool(condition(item, "Ready")) for item in items) == 2 * count


def _queue(operator: Operator) -> float:
    return operator.metric("logwarden_operator_queue_length")


def _settle(operator: Operator) -> None:
    """Wait until nothing was reconciled for some seconds."""
    before = -1.0
    while (now := operator.metric(_RECONCILES)) != before or _queue(operator):
        before = now
        time.sleep(5)


def _seconds_until(done: Callable[[], bool]) -> float:
    began = time.monotonic()
    while not done():
        if time.monotonic() - began > _LONGEST_SECONDS:
            raise TimeoutError(f"not done after {_LONGEST_SECONDS:.0f} s (namespace {NAMESPACE})")
        time.sleep(0.5)
    return time.monotonic() - began


def _peak_megabytes(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM"))


def _cpu_seconds(operator: Operator) -> float:
    return operator.metric("process_cpu_seconds_total")


def _idle_share(operator: Operator) -> float:
    """Return the share of a core that the operator takes while nothing happens."""
    before, began = _cpu_seconds(operator), time.monotonic()
    time.sleep(_IDLE_SECONDS)
    return (_cpu_seconds(operator) - before) / (time.monotonic() - began)


if __name__ == "__main__":
    raise SystemExit(main())
