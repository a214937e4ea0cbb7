"""The chart as it renders for values that matter: ``python -m tests.control_plane.chart_golden`` writes it anew."""

from __future__ import annotations

from pathlib import Path

from logwarden.api.crd import to_yaml
from tests.control_plane.running import render

FOLDER = Path(__file__).parent / "golden" / "chart"
VALUES = {
    "default": (),
    "namespaces": ("--set", "operator.watchNamespaces={a,b}", "--set", "operator.kafkaNamespaces={kafka}"),
    "registry": (
        "--set", "images.registry=registry.example.com/lw", "--set", "images.tag=1.2.3",
        "--set", "images.pullSecrets={pull}", "--set", "crds.keep=false", "--set", "monitoring.enabled=false",
    ),
    # Names a Secret for PostgreSQL: without one each rendering has another password.
    "everything": (
        "--set", "postgresql.enabled=true", "--set", "postgresql.secretName=pg", "--set", "dashboard.enabled=true",
        "--set", "dashboard.ingress.enabled=true", "--set", "dashboard.ingress.host=logs.example.com",
        "--set", "dashboard.ingress.tlsSecretName=logs-tls", "--set", "dashboard.ingress.className=nginx",
        "--set", "dashboard.oidc.secretName=oidc", "--set", "dashboard.oidc.emails={*@example.com}",
        "--set", "monitoring.grafana.enabled=true",
        "--api-versions", "monitoring.coreos.com/v1/PodMonitor",
        "--api-versions", "monitoring.coreos.com/v1/PrometheusRule",
    ),
    "dashboard": ("--set", "dashboard.enabled=true", "--set", "dashboard.database.secretName=logwarden-db"),
}  # fmt: skip


def rendered(name: str) -> str:
    """Return all objects but the definitions, which are generated and tested by themselves."""
    objects = [one for one in render(*VALUES[name]) if one["kind"] != "CustomResourceDefinition"]
    return "---\n".join(to_yaml(one) for one in objects)


if __name__ == "__main__":
    for case in VALUES:
        (FOLDER / f"{case}.yaml").write_text(rendered(case))
