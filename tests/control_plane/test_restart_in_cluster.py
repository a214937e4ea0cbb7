"""What a new operator does where another one was: nothing that is not needed."""

from __future__ import annotations

import signal

import pytest

from tests.control_plane.documents import MODEL, PIPELINE, apply, make_secret
from tests.control_plane.running import OPERATOR_USER, Operator, condition, eventually
from tests.services.apiserver import ApiServer

pytestmark = pytest.mark.cluster

KINDS = "amodel,lpipe,deploy,ds,svc,pdb,netpol"


def versions(server: ApiServer, namespace: str) -> dict[str, str]:
    found = server.get(KINDS, "-n", namespace)["items"]
    return {f"{one['kind']}/{one['metadata']['name']}": one["metadata"]["resourceVersion"] for one in found}


def idle(operator: Operator) -> bool:
    """Whether the operator has seen everything: the heartbeat comes after the lists that its watches begin with."""
    seen = operator.metric("logwarden_operator_reconcile_seconds_count")
    return seen >= 2 and operator.metric("logwarden_operator_queue_length") == 0


def test_a_new_operator_writes_nothing_and_repairs_what_happened_meanwhile(
    server: ApiServer, operator: Operator, namespace: str
) -> None:
    make_secret(server, namespace)
    apply(server, namespace, MODEL, PIPELINE)
    eventually(lambda: condition(server.get("lpipe", "campus", "-n", namespace), "Ready"), "a status", operator)
    eventually(lambda: server.get("netpol", "campus-detector", "-n", namespace), "all children", operator)
    before = versions(server, namespace)
    operator.stop(signal.SIGKILL)
    server.kubectl("delete", "svc", "campus-ingest", "-n", namespace)
    operator.start()
    eventually(lambda: server.get("svc", "campus-ingest", "-n", namespace), "the Service again", operator)
    eventually(lambda: idle(operator), "nothing more to do", operator)
    after = versions(server, namespace)
    assert {name for name in before if before[name] != after[name]} == {"Service/campus-ingest"}


def test_it_ends_well_when_told_to(server: ApiServer, operator: Operator) -> None:
    assert operator.stop() == 0
    operator.start()


def test_it_may_neither_list_secrets_nor_touch_what_is_not_its_own(server: ApiServer, operator: Operator) -> None:
    def may(*what: str) -> bool:
        said = server.kubectl("auth", "can-i", *what, "--all-namespaces", user=OPERATOR_USER, check=False)
        return said.strip().endswith("yes")

    assert may("get", "secrets")
    assert may("patch", "deployments.apps")
    forbidden = [
        ("list", "secrets"), ("watch", "secrets"), ("create", "secrets"), ("delete", "secrets"),
        ("create", "pods"), ("create", "pods/exec"), ("delete", "persistentvolumeclaims"),
        ("create", "clusterroles"), ("patch", "customresourcedefinitions"), ("delete", "logpipelines.logwarden.dev"),
        ("patch", "nodes"), ("impersonate", "users"),
    ]  # fmt: skip
    assert [what for what in forbidden if may(*what)] == []
