"""What becomes of collectors whose configuration changed, as a pure function of what is declared and what is there."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from logwarden_operator.children import pipeline_children
from logwarden_operator.ownership import Child
from logwarden_operator.rollout import held_condition, rollout
from tests.control_plane.builders import context, find, resources
from tests.control_plane.documents import MODEL, PIPELINE

CONTEXT = context("LogPipeline", "campus")


def declared(port: int = 5514) -> list[Child]:
    model, pipeline = resources("---".join([MODEL, PIPELINE.replace("port: 5514", f"port: {port}")]))
    assert pipeline is not None
    return pipeline_children(pipeline, model, CONTEXT)


def decided(old: list[Child], new: list[Child], port: int = 5515) -> Any:
    _, pipeline = resources("---".join([MODEL, PIPELINE.replace("port: 5514", f"port: {port}")]))
    assert pipeline is not None
    return rollout(pipeline, CONTEXT, new, old)


def kinds(children: list[Child], component: str) -> set[str]:
    label = "app.kubernetes.io/component"
    return {child["kind"] for child in children if child["metadata"]["labels"][label] == component}


def test_the_first_collectors_and_unchanged_ones_wait_for_nothing() -> None:
    new = declared(5515)
    assert decided([], new).declared == new
    assert decided(new, new).job is None


def test_a_changed_configuration_is_held_back_and_checked_with_the_rights_of_a_collector() -> None:
    new = declared(5515)
    found = decided(declared(5514), new)
    assert kinds(found.declared, "collector") == set()
    assert kinds(found.declared, "detector") == kinds(new, "detector")
    assert found.kept == {"collector"}
    job, config = find(found.declared, "Job", found.job), find(found.declared, "ConfigMap", found.job)
    assert "5515" in config["data"]["syslog-ng.conf"]
    pod = job["spec"]["template"]["spec"]
    collector = find(new, "DaemonSet", "campus-collector")["spec"]["template"]["spec"]["initContainers"][0]
    for field in ("image", "command", "securityContext"):
        assert pod["containers"][0][field] == collector[field]
    assert not any("hostPath" in volume for volume in pod["volumes"])
    assert job["spec"]["activeDeadlineSeconds"] > 0


@pytest.mark.parametrize(("outcome", "held"), [("Complete", False), ("Failed", True), (None, True)])
def test_only_a_job_that_ended_well_lets_it_through(outcome: str | None, held: bool) -> None:
    new, old = declared(5515), declared(5514)
    first = decided(old, new)
    job = find(first.declared, "Job", first.job)
    if outcome:
        job["status"] = {"conditions": [{"type": outcome, "status": "True"}]}
    assert (decided([*old, job], new).job is not None) is held
    reasons = {"Failed": "ConfigRefused", None: "Checking"}
    if held:
        assert held_condition(first.job, [job], []).reason == reasons[outcome]


@pytest.mark.parametrize(("outcome", "held"), [("Complete", False), ("Failed", True), (None, True)])
def test_a_check_decides_also_where_the_collectors_are_gone_meanwhile(outcome: str | None, held: bool) -> None:
    new = declared(5515)
    first = decided(declared(5514), new)
    job = find(first.declared, "Job", first.job)
    if outcome:
        job["status"] = {"conditions": [{"type": outcome, "status": "True"}]}
    assert (decided([job], new).job is not None) is held


@pytest.mark.parametrize(
    ("edit", "rolled"),
    [
        ("alerts: {latencySeconds: 60}", False),
        ("privacy: {mask: [ip], at: Detection, keySecretRef: {name: k, key: k}}", False),
        ("store: {databaseSecretRef: {name: other, key: uri}}", False),
        ("kafka: {bootstrapServers: 'other.example:9092'}", True),
        ("kafka: {bootstrapServers: 'kafka.example:9092', topic: {name: other}}", True),
        ("collect: {syslog: {listeners: [{name: udp, transport: TCP, port: 5514}]}}", True),
        ("collect: {syslog: {listeners: [{name: udp, transport: UDP, port: 5514}]}, nodes: true}", True),
    ],
)
def test_only_an_edit_that_syslog_ng_reads_rolls_its_pods(edit: str, rolled: bool) -> None:
    document = yaml.safe_load(PIPELINE)
    document["spec"] |= yaml.safe_load(edit)
    model, pipeline = resources("\n---\n".join([MODEL, yaml.safe_dump(document)]))
    assert pipeline is not None
    before, after = (
        find(children, "DaemonSet", "campus-collector")["spec"]["template"]
        for children in (declared(), pipeline_children(pipeline, model, CONTEXT))
    )
    assert (before != after) is rolled
