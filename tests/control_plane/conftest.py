"""A real API server with the chart's definitions and rights, and the operator as a process with these rights."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.control_plane.running import NAMESPACE, OPERATOR_USER, Operator, install, render
from tests.services.apiserver import ApiServer


@pytest.fixture(scope="session")
def bare_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API server on which the chart was installed, but nothing runs."""
    groups = ["system:serviceaccounts", f"system:serviceaccounts:{NAMESPACE}"]
    server = ApiServer(tmp_path_factory.mktemp("apiserver"), {OPERATOR_USER: groups, "nobody": []})
    try:
        server.start()
        install(server, render())
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def operator(bare_server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """The operator, under the chart's own rights."""
    operator = Operator(bare_server, tmp_path_factory.mktemp("operator"))
    try:
        operator.start()
        yield operator
    finally:
        operator.stop()


@pytest.fixture
def server(operator: Operator) -> ApiServer:
    """The API server with the operator running."""
    return operator.server


@pytest.fixture
def namespace(bare_server: ApiServer, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of the test's own."""
    words = "".join(letter if letter.isalnum() else "-" for letter in request.node.name.lower())
    name = f"t-{abs(hash(request.node.nodeid)) % 10**8}-{words}"[:60].strip("-")
    bare_server.kubectl("create", "namespace", name)
    yield name
    bare_server.kubectl("delete", "anomalymodels,logpipelines", "--all", "-n", name, "--wait=false")


@pytest.fixture(scope="session")
def strimzi(bare_server: ApiServer) -> ApiServer:
    """Strimzi's own definitions of KafkaTopic and KafkaUser; tests are skipped where they are not."""
    from tests.control_plane.running import strimzi_definitions

    definitions = strimzi_definitions()
    if not definitions:
        pytest.skip("Strimzi's definitions not found (set LOGWARDEN_STRIMZI_CRDS to their folder)")
    for definition in definitions:
        bare_server.kubectl("apply", "--server-side", "-f", str(definition))
    for plural in ("kafkatopics", "kafkausers"):
        name = f"crd/{plural}.kafka.strimzi.io"
        bare_server.kubectl("wait", "--for=condition=Established", name, "--timeout=60s")
    return bare_server
