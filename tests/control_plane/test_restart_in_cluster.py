"""What a new operator does where another one was: nothing that is not needed."""

from __future__ import annotations

import signal
import time

import pytest

from tests.control_plane.builders import GOLDEN
from tests.control_plane.documents import HISTORY, apply, make_secret
from tests.control_plane.running import OPERATOR_USER, Operator, condition, eventually
from tests.services.apiserver import ApiServer

pytestmark = pytest.mark.cluster

KINDS = "amodel,lpipe,deploy,ds,svc,pdb,netpol,cm,pvc,job,cronjob"
_RECONCILES = "logwarden_operator_reconcile_seconds_count"
SECRETS = ("logwarden-db", "llm", "hf-token", "kafka-user", "kafka-ca", "ingest-token", "syslog-tls")


def versions(server: ApiServer, namespace: str) -> dict[str, str]:
    found = server.get(KINDS, "-n", namespace)["items"]
    return {f"{one['kind']}/{one['metadata']['name']}": one["metadata"]["resourceVersion"] for one in found}


def idle(operator: Operator) -> bool:
    """Whether the operator has reconciled something, and nothing more for two seconds."""
    before = operator.metric(_RECONCILES)
    time.sleep(2)
    return 0 < before == operator.metric(_RECONCILES) and operator.metric("logwarden_operator_queue_length") == 0


def test_a_new_operator_writes_nothing_and_repairs_what_happened_meanwhile(
    server: ApiServer, operator: Operator, namespace: str
) -> None:
    server.kubectl("create", "namespace", "kafka", check=False)  # named by the examples; others may have made it
    for name in SECRETS:
        make_secret(server, namespace, name)
    apply(server, namespace, HISTORY, *(path.read_text() for path in sorted(GOLDEN.glob("*.input.yaml"))))
    for name in ("small", "campus"):
        eventually(lambda: condition(server.get("lpipe", name, "-n", namespace), "Ready"), "a status", operator)  # noqa: B023
    eventually(lambda: server.get("job", "-n", namespace)["items"], "a training", operator)
    eventually(lambda: idle(operator), "nothing more to do", operator)
    before = versions(server, namespace)
    operator.stop(signal.SIGKILL)
    server.kubectl("delete", "svc", "campus-ingest", "-n", namespace)
    operator.start()
    eventually(lambda: server.get("svc", "campus-ingest", "-n", namespace), "the Service again", operator)
    eventually(lambda: idle(operator), "nothing more to do", operator)
    after = versions(server, namespace)
    assert len(before) > 30
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
