"""The chart: what it renders for the values that matter, and that helm has nothing against it."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from logwarden_operator.settings import Settings, load_settings
from scripts import chart
from tests.control_plane import builders, chart_golden, exported
from tests.control_plane.builders import ALL_CRDS, children_of
from tests.control_plane.running import CHART, Object, render, settings_of
from tests.services.apiserver import ApiServer, find

pytestmark = pytest.mark.cluster

DASHBOARD = ("--set", "dashboard.enabled=true", "--set", "dashboard.database.secretName=db")
# Without the objects of the Prometheus operator, whose definitions the server does not have.
EVERYTHING = tuple(
    one for one in chart_golden.VALUES["everything"] if "api-versions" not in one and "monitoring.coreos" not in one
)
FULL = (builders.GOLDEN / "full.input.yaml").read_text()
FUNCTIONS = {"histogram_quantile"}
NAMESPACED = chart_golden.VALUES["namespaces"]


def of_kind(objects: list[Object], kind: str) -> list[Object]:
    return [one for one in objects if one["kind"] == kind]


@pytest.mark.parametrize("case", chart_golden.VALUES)
def test_it_renders_as_its_golden_file(case: str) -> None:
    """After a wanted change, ``python -m tests.control_plane.chart_golden`` writes them anew."""
    assert chart_golden.rendered(case) == (chart_golden.FOLDER / f"{case}.yaml").read_text()


def test_helm_has_nothing_against_it() -> None:
    done = subprocess.run(
        [find("helm") or "helm", "lint", "--strict", str(CHART)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("values", [(), DASHBOARD, NAMESPACED, EVERYTHING, ("--set", "crds.enabled=false")])
def test_the_api_server_takes_all_of_it(bare_server: ApiServer, values: tuple[str, ...]) -> None:
    objects = render(*values)
    for namespace in ("a", "b", "kafka"):
        bare_server.kubectl("create", "namespace", namespace, check=False)
    given = yaml.safe_dump_all(objects)
    said = bare_server.kubectl(
        "apply", "--dry-run=server", "--server-side", "--force-conflicts", "-f", "-", given=given
    )
    assert said.count("serverside-applied") == len(objects)


def test_alerts_come_where_the_prometheus_operator_is() -> None:
    kinds = ("PodMonitor", "PrometheusRule")
    assert not any(of_kind(render(), kind) for kind in kinds)
    there = [argument for kind in kinds for argument in ("--api-versions", f"monitoring.coreos.com/v1/{kind}")]
    rules = of_kind(render(*there), "PrometheusRule")[0]["spec"]["groups"][0]["rules"]
    page = (CHART.parents[1] / "docs" / "operator.md").read_text()
    assert rules
    assert all(rule["alert"] in page for rule in rules)
    assert of_kind(render(*there, "--set", "monitoring.enabled=false"), "PrometheusRule") == []


def test_alerts_and_dashboards_use_only_metrics_that_exist() -> None:
    """Names of kube-state-metrics are the two that alerts use about workloads."""
    foreign = {"kube_daemonset_status_number_unavailable", "kube_deployment_status_replicas_available"}
    objects = render(*chart_golden.VALUES["everything"])
    expressions = [
        *alert_expressions(objects),
        *alert_expressions(children_of(FULL, available=ALL_CRDS)),
        *dashboard_expressions(of_kind(objects, "ConfigMap")),
    ]
    used = {name for expression in expressions for name in metric_names(expression)}
    assert len(expressions) > 30
    assert len(used) > 20
    assert used - exported.names() == foreign


def alert_expressions(objects: list[Object]) -> list[str]:
    groups = [group for rule in of_kind(objects, "PrometheusRule") for group in rule["spec"]["groups"]]
    return [rule["expr"] for group in groups for rule in group["rules"]]


def dashboard_expressions(config_maps: list[Object]) -> list[str]:
    texts = [text for one in config_maps for name, text in one["data"].items() if name.endswith(".json")]
    panels = [panel for text in texts for panel in json.loads(text)["panels"]]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def metric_names(expression: str) -> set[str]:
    """Return the words of an expression that are names of metrics: neither labels, functions nor in quotes."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(by|on)\s*\([^)]*\)", "", expression)
    return {word for word in re.findall(r"[a-z_][a-z0-9_]*_[a-z0-9_]+", bare) if word not in FUNCTIONS}


def test_every_alert_has_a_line_in_the_documentation() -> None:
    page = (CHART.parents[1] / "docs" / "operator.md").read_text()
    rules = of_kind(children_of(FULL, available=ALL_CRDS), "PrometheusRule")[0]["spec"]["groups"][0]["rules"]
    assert [rule["alert"] for rule in rules if rule["alert"] not in page] == []


def test_postgresql_makes_a_password_once_and_the_dashboard_reads_its_address() -> None:
    values = ("--set", "postgresql.enabled=true", "--set", "dashboard.enabled=true")
    objects = render(*values)
    secret = of_kind(objects, "Secret")[0]
    assert re.fullmatch(r"[A-Za-z0-9]{32}", secret["stringData"]["password"])
    password = secret["stringData"]["password"]
    uri = f"postgresql://logwarden:{password}@logwarden-postgresql.logwarden.svc:5432/logwarden"
    assert secret["stringData"]["uri"] == uri
    assert secret["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    name = secret["metadata"]["name"]
    store = of_kind(objects, "Deployment")[0]["spec"]["template"]["spec"]["containers"][0]["env"][0]
    assert store["valueFrom"]["secretKeyRef"] == {"name": name, "key": "uri"}
    assert password not in json.dumps([one for one in objects if one["kind"] != "Secret"])
    assert of_kind(render(*values, "--set", "postgresql.secretName=mine"), "Secret") == []


def test_the_definitions_are_those_of_the_contract() -> None:
    definitions = of_kind(render(), "CustomResourceDefinition")
    committed = [yaml.safe_load(path.read_text()) for path in sorted((CHART.parents[1] / "crds").glob("*.yaml"))]
    assert [one["spec"] for one in definitions] == [one["spec"] for one in committed]
    assert of_kind(render("--set", "crds.enabled=false"), "CustomResourceDefinition") == []


@pytest.mark.parametrize(("keep", "policy"), [("true", "keep"), ("false", None)])
def test_definitions_survive_an_uninstall_unless_told_otherwise(keep: str, policy: str | None) -> None:
    for definition in of_kind(render("--set", f"crds.keep={keep}"), "CustomResourceDefinition"):
        assert definition["metadata"]["annotations"].get("helm.sh/resource-policy") == policy


def test_the_operator_reads_what_the_chart_writes(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    values = ("--set", "images.registry=example.com/lw", "--set", "images.tag=1.2", *NAMESPACED)
    file.write_text(settings_of(render(*values)))
    settings = load_settings(file)
    assert settings.images.detector == "example.com/lw/detector:1.2"
    assert settings.watch_namespaces == ["a", "b"]
    assert settings.kafka_namespaces == ["kafka"]
    file.write_text(settings_of(render()))
    assert load_settings(file).model_claim == Settings().model_claim


def test_in_some_namespaces_it_has_no_rights_in_the_cluster() -> None:
    objects = render(*NAMESPACED)
    assert of_kind(objects, "ClusterRole") == of_kind(objects, "ClusterRoleBinding") == []
    roles = {one["metadata"]["namespace"]: one["rules"] for one in of_kind(objects, "Role")}
    assert set(roles) == {"a", "b", "kafka"}
    assert [rule["apiGroups"] for rule in roles["kafka"]] == [["kafka.strimzi.io"]]


def test_no_right_is_a_wildcard() -> None:
    for role in of_kind(render(), "ClusterRole"):
        assert "*" not in json.dumps(role["rules"])


def test_all_pods_are_restricted() -> None:
    objects = render(*EVERYTHING)
    workloads = [*of_kind(objects, "Deployment"), *of_kind(objects, "StatefulSet")]
    pods = [workload["spec"]["template"]["spec"] for workload in workloads]
    pods += [pod["spec"] for pod in of_kind(objects, "Pod")]
    assert len(pods) == 4
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] is True
        for container in pod["containers"]:
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert container["resources"]["limits"]["memory"]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ("images.pullPolicy=Sometimes", "pullPolicy"),
        ("operator.logLevel=loud", "logLevel"),
        ("crds.enabled=perhaps", "enabled"),
        ("dashboard.service.port=0", "port"),
        ("operator.watchNamespace=a", "watchNamespace"),
        ("postgresql.storage.size=much", "size"),
        ("dashboard.oidc.emails={ann}", "emails"),
        ("dashboard.ingress.host=no blanks", "host"),
    ],
)
def test_a_wrong_value_is_refused_by_name(wrong: str, field: str) -> None:
    command = [find("helm") or "helm", "template", "x", str(CHART), "--set", wrong]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert field in done.stderr


def test_a_dashboard_without_a_database_is_refused() -> None:
    command = [find("helm") or "helm", "template", "x", str(CHART), "--set", "dashboard.enabled=true"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "dashboard.database.secretName" in done.stderr


def test_generated_files_are_fresh() -> None:
    assert {path for path, text in chart.generated().items() if (CHART / path).read_text() != text} == set()


@pytest.mark.parametrize(("required", "variable"), [("true", None), ("null", None), ("false", "optional")])
def test_a_provider_is_trusted_with_addresses_only_where_a_value_says_so(required: str, variable: str | None) -> None:
    """A value that an upgrade with --reuse-values does not know is null."""
    oidc = ("--set", "dashboard.oidc.secretName=oidc", "--set", f"dashboard.oidc.requireVerifiedEmail={required}")
    objects = render("--set", "dashboard.enabled=true", "--set", "dashboard.database.secretName=db", *oidc)
    (deployment,) = (one for one in of_kind(objects, "Deployment") if "dashboard" in one["metadata"]["name"])
    environment = {
        one["name"]: one.get("value") for one in deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    }
    assert environment.get("LOGWARDEN_LOGIN_VERIFIED_EMAIL") == variable
