"""What pods count reaches the status: real exporters answer at the addresses that the pods' status names."""

from __future__ import annotations

import http.server
import json
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from logwarden.collector.stats import Stats
from tests.control_plane import exported
from tests.control_plane.documents import MODEL, PIPELINE, TRAINED, apply, make_secret, set_status
from tests.control_plane.running import Operator, condition, eventually
from tests.services.apiserver import ApiServer

pytestmark = pytest.mark.cluster


class Pod(http.server.ThreadingHTTPServer):
    """Serves a text as its metrics; the test changes it."""

    text = ""

    def __init__(self) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(handler) -> None:  # noqa: N805
                handler.send_response(200)
                handler.end_headers()
                handler.wfile.write(self.text.encode())

            def log_message(handler, *_: object) -> None: ...  # noqa: N805

        super().__init__(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()

    def create(self, server: ApiServer, namespace: str, name: str, labels: dict[str, str]) -> None:
        port = {"name": "metrics", "containerPort": self.server_address[1]}
        spec = {"containers": [{"name": "main", "image": "none", "ports": [port]}]}
        metadata = {"name": name, "namespace": namespace, "labels": labels}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
        server.kubectl("create", "-f", "-", given=json.dumps(pod))
        status: dict[str, Any] = {
            "phase": "Running",
            "podIP": "127.0.0.1",
            "podIPs": [{"ip": "127.0.0.1"}],
            "conditions": [{"type": "Ready", "status": "True"}],
        }
        set_status(server, namespace, "pod", name, status)


@pytest.fixture
def pods() -> Iterator[list[Pod]]:
    found = [Pod(), Pod()]
    yield found
    for pod in found:
        pod.close()


def template_labels(server: ApiServer, namespace: str, kind: str, name: str) -> dict[str, str]:
    template = server.get(kind, name, "-n", namespace)["spec"]["template"]
    return dict(template["metadata"]["labels"])


def test_a_pipeline_shows_its_flow_and_the_step_that_loses(
    server: ApiServer, operator: Operator, namespace: str, pods: list[Pod]
) -> None:
    collector, detector = pods
    make_secret(server, namespace)
    apply(server, namespace, MODEL, PIPELINE)
    labels = {
        component: eventually(lambda k=kind, c=component: template_labels(server, namespace, k, f"campus-{c}"), kind)
        for kind, component in (("ds", "collector"), ("deploy", "detector"))
    }
    collector.text = exported.collector(Stats(Counter({"udp": 0})))
    detector.text = exported.detector({("stored", 0): 0}, {0: 120})
    collector.create(server, namespace, "campus-collector-x", labels["collector"])
    detector.create(server, namespace, "campus-detector-x", labels["detector"])

    def status() -> Any:
        return server.get("lpipe", "campus", "-n", namespace)["status"]

    eventually(lambda: status()["lag"] == 120, "the lag", operator, 90)
    collector.text = exported.collector(Stats(Counter({"udp": 9000}), written=9000))
    detector.text = exported.detector({("stored", 0): 8990, ("rejected", 0): 10}, {0: 0})

    def flow() -> Any:
        return condition(server.get("lpipe", "campus", "-n", namespace), "FlowHealthy")

    eventually(lambda: flow()["reason"] == "Balanced", "balanced", operator, 90)
    eventually(
        lambda: status()["traffic"] == {"received": 9000, "rejected": 10, "anomalies": 0}, "totals", operator, 150
    )
    assert status()["received"].endswith("/s")
    collector.text = exported.collector(Stats(Counter({"udp": 10_000}), written=9500, dropped=500))
    eventually(lambda: flow()["reason"] == "CollectorLoses", "a loss", operator, 90)
    assert "500 dropped because the buffer" in flow()["message"]
    shown = server.kubectl("get", "lpipe", "campus", "-n", namespace)
    assert "RECEIVED" in shown
    assert status()["received"] in shown


def test_a_training_shows_how_far_it_is(server: ApiServer, operator: Operator, namespace: str, pods: list[Pod]) -> None:
    apply(server, namespace, TRAINED)
    job = eventually(lambda: server.get("jobs", "-n", namespace)["items"][0], "a Job", operator)
    labels = job["spec"]["template"]["metadata"]["labels"]
    name = job["metadata"]["name"]
    pods[0].text = exported.training(0.451, 130.0)
    pods[0].create(server, namespace, f"{name}-x", {**labels, "batch.kubernetes.io/job-name": name})
    model = eventually(
        lambda: (found := server.get("amodel", "campus", "-n", namespace))["status"]["training"]["percent"] and found,
        "the percentage",
        operator,
        90,
    )
    training = model["status"]["training"]
    assert (training["job"], training["percent"], training["remainingSeconds"]) == (name, 45, 130)
    assert "fine-tuning is 45 % done, about 3 minutes left" in condition(model, "Trained")["message"]
    assert "45" in server.kubectl("get", "amodel", "campus", "-n", namespace)
