"""``logwarden crds``: print the custom resource definitions."""

from __future__ import annotations

EXAMPLES = """
logwarden crds | kubectl apply --server-side -f -
logwarden crds > crds.yaml
"""


def command() -> None:
    """Print the Kubernetes custom resource definitions of AnomalyModel and LogPipeline as YAML."""
    from logwarden.api.crd import crds_yaml

    print(crds_yaml(), end="")
