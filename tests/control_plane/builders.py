"""Resources as the API server hands them to the operator, and the golden children made from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from logwarden.api.anomaly_model import AnomalyModel
from logwarden.api.crd import to_yaml
from logwarden.api.load import load_resources
from logwarden.api.log_pipeline import LogPipeline
from logwarden_operator.children import model_children, pipeline_children
from logwarden_operator.children.documents import reads_topics
from logwarden_operator.children.model import TrainingPlan
from logwarden_operator.children.training import training_hash
from logwarden_operator.context import OPTIONAL_CRDS, Context
from logwarden_operator.ownership import Child, Kind, Owner
from logwarden_operator.revisions import Pointer
from logwarden_operator.settings import Settings

GOLDEN = Path(__file__).parent / "golden"
ALL_CRDS = frozenset(OPTIONAL_CRDS)
NAMESPACE = "netops"


def using(model: AnomalyModel, text: str) -> list[LogPipeline]:
    """Return the pipelines of a YAML text whose topics a training of the model reads."""
    found = [one for one in load_resources(text) if isinstance(one, LogPipeline)] if reads_topics(model) else []
    return [one for one in found if one.spec.detect.model_ref.name == model.name]


def resources(text: str) -> tuple[AnomalyModel | None, LogPipeline | None]:
    """Return the model and the pipeline of a YAML text, in the namespace ``netops``."""
    found = [
        one.model_copy(update={"metadata": one.metadata.model_copy(update={"namespace": NAMESPACE})})
        for one in load_resources(text)
    ]
    models = [one for one in found if isinstance(one, AnomalyModel)]
    pipelines = [one for one in found if isinstance(one, LogPipeline)]
    return (models or [None])[0], (pipelines or [None])[0]


def context(kind: Kind, name: str, available: frozenset[str] = frozenset(), **settings: Any) -> Context:
    """Return a context in the namespace ``netops``."""
    return Context(Owner(kind, NAMESPACE, name, f"uid-of-{name}"), Settings(**settings), available)


def children_of(text: str, *, available: frozenset[str] = frozenset(), **settings: Any) -> list[Child]:
    """Return all children of the documents of a YAML text."""
    model, pipeline = resources(text)
    children: list[Child] = []
    if model is not None:
        plan = TrainingPlan(training_hash(model, 0), bool(model.spec.training.datasets), using(model, text))
        found = context("AnomalyModel", model.name, available, **settings)
        children += model_children(model, found, plan, Pointer())
    if pipeline is not None:
        found = context("LogPipeline", pipeline.name, available, **settings)
        children += pipeline_children(pipeline, model, found)
    return children


def cases() -> list[str]:
    """Return the names of the golden cases."""
    return sorted(path.name.removesuffix(".input.yaml") for path in GOLDEN.glob("*.input.yaml"))


def made(case: str) -> str:
    """Return the children of a case as YAML. A first comment line ``# available: all`` gives it all optional kinds."""
    text = (GOLDEN / f"{case}.input.yaml").read_text()
    available = ALL_CRDS if text.startswith("# available: all") else frozenset()
    return "---\n".join(to_yaml(_without_syslog_ng(child)) for child in children_of(text, available=available))


def _without_syslog_ng(child: Child) -> Child:
    """Leave out the configuration of syslog-ng, which has tests of its own, and its hash."""
    if child["metadata"]["labels"]["app.kubernetes.io/component"] != "collector":
        return child
    if child["kind"] == "ConfigMap":
        return {**child, "data": {**child["data"], "syslog-ng.conf": "(rendered by logwarden.collector)"}}
    if child["kind"] == "DaemonSet":
        child["spec"]["template"]["metadata"]["annotations"] = {"logwarden.dev/config-hash": "(of that)"}
    return child


def find(children: list[Child], kind: str, name: str) -> Child:
    """Return the one child of a kind and name."""
    found = [one for one in children if (one["kind"], one["metadata"]["name"]) == (kind, name)]
    assert len(found) == 1, [(one["kind"], one["metadata"]["name"]) for one in children]
    return found[0]


def documents(child: Child) -> dict[str, dict[str, Any]]:
    """Return the resources in a ConfigMap for pods, by kind."""
    return {one["kind"]: one for one in yaml.safe_load_all(child["data"]["resources.yaml"])}


if __name__ == "__main__":
    for name in cases():
        (GOLDEN / f"{name}.children.yaml").write_text(made(name))
