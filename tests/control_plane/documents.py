"""Documents that the tests apply, and what stands in for the controllers that a bare API server lacks."""

from __future__ import annotations

import json
from typing import Any

from tests.services.apiserver import ApiServer

SECRET_VALUE = "postgresql://user:hunter2-hunter2@db/logs"
MODEL = """
apiVersion: logwarden.dev/v1alpha1
kind: AnomalyModel
metadata: {name: campus}
"""
HISTORY = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: history}
spec:
  accessModes: [ReadOnlyMany]
  resources: {requests: {storage: 1Gi}}
"""
TRAINED = f"""{HISTORY}---
apiVersion: logwarden.dev/v1alpha1
kind: AnomalyModel
metadata: {{name: campus}}
spec:
  training:
    datasets:
      - {{uri: "pvc://history/2026/10"}}
"""
PIPELINE = """
apiVersion: logwarden.dev/v1alpha1
kind: LogPipeline
metadata: {name: campus}
spec:
  collect:
    syslog:
      listeners:
        - {name: udp, transport: UDP, port: 5514}
    http: {enabled: true}
  kafka: {bootstrapServers: "kafka.example:9092"}
  detect: {modelRef: {name: campus}}
  store: {databaseSecretRef: {name: logwarden-db, key: uri}}
"""


def apply(server: ApiServer, namespace: str, *documents: str) -> None:
    """Apply documents."""
    server.kubectl("apply", "-n", namespace, "-f", "-", given="\n---\n".join(documents))


def make_secret(server: ApiServer, namespace: str, name: str = "logwarden-db") -> None:
    """Make a Secret with a value that must never be seen anywhere else."""
    server.kubectl("create", "secret", "generic", name, f"--from-literal=uri={SECRET_VALUE}", "-n", namespace)


def set_status(server: ApiServer, namespace: str, kind: str, name: str, status: dict[str, Any]) -> None:
    """Write the status of an object, as its controller would."""
    patch = json.dumps({"status": status})
    arguments = ("--subresource=status", "--type=merge", "-p", patch, "-n", namespace)
    server.kubectl("patch", kind, name, *arguments)


def run_workloads(server: ApiServer, namespace: str, name: str = "campus") -> None:
    """Say what the controllers say when all pods of a pipeline run."""
    for component, count in (("detector", 1), ("ingest", 2)):
        generation = server.get("deploy", f"{name}-{component}", "-n", namespace)["metadata"]["generation"]
        counts = dict.fromkeys(("replicas", "readyReplicas", "updatedReplicas", "availableReplicas"), count)
        set_status(server, namespace, "deploy", f"{name}-{component}", {"observedGeneration": generation, **counts})
    generation = server.get("ds", f"{name}-collector", "-n", namespace)["metadata"]["generation"]
    counts = dict.fromkeys(
        ("desiredNumberScheduled", "currentNumberScheduled", "numberReady", "updatedNumberScheduled"), 3
    )
    status = {"observedGeneration": generation, "numberMisscheduled": 0, **counts}
    set_status(server, namespace, "ds", f"{name}-collector", status)


def make_pod(
    server: ApiServer, namespace: str, labels: dict[str, str], status: dict[str, Any], name: str = "some-pod"
) -> None:
    """Make a pod with the status that a kubelet would write."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"containers": [{"name": "main", "image": "none"}], "automountServiceAccountToken": False},
    }
    server.kubectl("create", "-f", "-", given=json.dumps(pod))
    set_status(server, namespace, "pod", name, status)


def ended(code: int, message: str, reason: str = "Completed") -> dict[str, Any]:
    """Return the status of a pod whose container ended."""
    terminated = {"exitCode": code, "message": message, "reason": reason}
    container = {
        "name": "main",
        "image": "none",
        "imageID": "",
        "ready": False,
        "restartCount": 0,
        "state": {"terminated": terminated},
    }
    return {"phase": "Failed" if code else "Succeeded", "containerStatuses": [container]}


def end_job(server: ApiServer, namespace: str, job: str, *, well: bool) -> None:
    """Say that a Job ended, as its controller would."""
    began, time = "2026-11-25T10:00:00Z", "2026-11-25T12:00:00Z"
    first, last = ("SuccessCriteriaMet", "Complete") if well else ("FailureTarget", "Failed")
    conditions = [
        {"type": kind, "status": "True", "reason": "Test", "message": "told by the test", "lastTransitionTime": time}
        for kind in (first, last)
    ]
    status: dict[str, Any] = {"startTime": began, "conditions": conditions}
    status |= {"succeeded": 1, "completionTime": time} if well else {"failed": 1}
    set_status(server, namespace, "job", job, status)
