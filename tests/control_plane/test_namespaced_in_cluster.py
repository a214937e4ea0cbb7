"""An operator for some namespaces, with rights in these alone, and an API server that goes away."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import yaml

from tests.control_plane.documents import MODEL, PIPELINE, apply, make_secret
from tests.control_plane.running import OPERATOR_USER, Operator, condition, eventually, render
from tests.services.apiserver import ApiServer

pytestmark = pytest.mark.cluster

VALUES = ("--set", "operator.watchNamespaces={mine}", "--set", "operator.kafkaNamespaces={kafka}")


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """An operator with a Role instead of a ClusterRole, on an API server of its own."""
    server = ApiServer(tmp_path_factory.mktemp("narrow"), {OPERATOR_USER: ["system:serviceaccounts"]})
    try:
        server.start()
        for namespace in ("logwarden", "mine", "kafka", "other"):
            server.kubectl("create", "namespace", namespace)
            make_secret(server, namespace)
        objects = render(*VALUES)
        wanted = [one for one in objects if one["kind"] not in ("ConfigMap", "Deployment")]
        server.kubectl("apply", "--server-side", "-f", "-", given=yaml.safe_dump_all(wanted))
        server.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        operator = Operator(server, tmp_path_factory.mktemp("narrow-operator"), objects)
        operator.start()
        yield operator
        operator.stop()
    finally:
        server.stop()


def test_it_works_where_it_is_told_to_and_nowhere_else(narrow: Operator) -> None:
    server = narrow.server
    for namespace in ("other", "mine"):
        apply(server, namespace, MODEL, PIPELINE)
    eventually(lambda: condition(server.get("lpipe", "campus", "-n", "mine"), "Ready"), "a status", narrow)
    assert "deployment.apps/campus-detector" in server.kubectl("get", "deploy", "-n", "mine", "-o", "name")
    assert "status" not in server.get("lpipe", "campus", "-n", "other")
    server.kubectl("delete", "deploy", "campus-detector", "-n", "mine")
    eventually(lambda: server.get("deploy", "campus-detector", "-n", "mine"), "made again", narrow)


def test_a_kafka_out_of_reach_is_named(narrow: Operator) -> None:
    kafka = "kafka: {strimzi: {cluster: main, namespace: other}}"
    text = PIPELINE.replace('kafka: {bootstrapServers: "kafka.example:9092"}', kafka).replace(
        "name: campus}\nspec", "name: far}\nspec"
    )
    apply(narrow.server, "mine", MODEL, text)
    eventually(lambda: condition(narrow.server.get("lpipe", "far", "-n", "mine"), "Ready"), "a status", narrow)
    found = condition(narrow.server.get("lpipe", "far", "-n", "mine"), "ConfigValid")
    assert found["reason"] == "NamespaceNotWatched"
    assert "operator.kafkaNamespaces" in found["message"]


def test_its_heartbeat_comes_back_and_it_asks_for_no_more_than_it_may(narrow: Operator) -> None:
    heartbeat = narrow.server.get("cm", "logwarden-operator-heartbeat", "-n", "mine")
    assert "ownerReferences" not in heartbeat["metadata"]  # the pod is in another namespace
    assert narrow.get("/healthz") == "ok\n"
    assert "forbidden" not in narrow.log.lower()
    assert "Traceback" not in narrow.log


def test_it_goes_on_after_the_api_server_was_away(narrow: Operator) -> None:
    server = narrow.server
    server.kill()
    time.sleep(15)
    assert narrow.get("/healthz") == "ok\n"
    server.start_again()
    apply(server, "mine", MODEL, PIPELINE.replace("name: campus}\nspec", "name: later}\nspec"))
    eventually(lambda: server.get("deploy", "later-detector", "-n", "mine"), "children", narrow, seconds=120)
    server.kubectl("delete", "deploy", "later-detector", "-n", "mine")
    eventually(lambda: server.get("deploy", "later-detector", "-n", "mine"), "made again", narrow, seconds=120)
    # While the API server reads its roles again it refuses what it allows a moment later: a retry, not an error.
    assert narrow.get("/healthz") == "ok\n"
    assert "Traceback" not in narrow.log
