"""Every rule of the contract, judged by a real API server: what it takes, what it refuses, and in which words."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from tests.api.test_crd import CASES
from tests.control_plane.test_wrong_specs_in_cluster import WRONG_MODELS, WRONG_PIPELINES
from tests.services.apiserver import ApiServer

pytestmark = pytest.mark.cluster

Document = dict[str, Any]


def refusal(server: ApiServer, document: Document, *arguments: str) -> str:
    """Return what the API server says against a document, empty where it takes it. Nothing is kept."""
    said = server.kubectl("create", "--dry-run=server", "-f", "-", *arguments, given=json.dumps(document), check=False)
    return "" if "created" in said and "Error" not in said and "invalid" not in said else said


def test_the_cases_of_the_contract_are_judged_as_on_one_machine(bare_server: ApiServer) -> None:
    judged = {name: refusal(bare_server, document) == "" for name, (document, _) in CASES.items()}
    assert judged == {name: valid for name, (_, valid) in CASES.items()}


def pipeline(**changes: Any) -> Document:
    spec = {
        "detect": {"modelRef": {"name": "a"}},
        "kafka": {"bootstrapServers": "a:9092"},
        "store": {"databaseSecretRef": {"name": "db", "key": "uri"}},
    }
    return {
        "apiVersion": "logwarden.dev/v1alpha1",
        "kind": "LogPipeline",
        "metadata": {"name": "a"},
        "spec": {**spec, **changes},
    }


def model(**spec: Any) -> Document:
    return {"apiVersion": "logwarden.dev/v1alpha1", "kind": "AnomalyModel", "metadata": {"name": "a"}, "spec": spec}


def listener(**fields: Any) -> Document:
    return pipeline(collect={"syslog": {"listeners": [{"name": "a", **fields}]}})


REFUSED = {
    "spec.kafka.bootstrapServers": pipeline(kafka={"bootstrapServers": "no port"}),
    "spec.kafka.topic.name": pipeline(kafka={"bootstrapServers": "a:1", "topic": {"name": "no blanks"}}),
    "spec.kafka.topic.partitions": pipeline(kafka={"bootstrapServers": "a:1", "topic": {"partitions": 0}}),
    "spec.kafka.topic.replicas": pipeline(kafka={"bootstrapServers": "a:1", "topic": {"replicas": 99}}),
    "spec.kafka.topic.retention": pipeline(kafka={"bootstrapServers": "a:1", "topic": {"retention": "soon"}}),
    "spec.kafka.sasl.mechanism": pipeline(
        kafka={"bootstrapServers": "a:1", "sasl": {"mechanism": "MAGIC", "credentialsSecretRef": {"name": "s"}}}
    ),
    "spec.kafka.sasl.credentialsSecretRef": pipeline(kafka={"bootstrapServers": "a:1", "sasl": {}}),
    "spec.collect.syslog.listeners[0].transport": listener(transport="SCTP"),
    "spec.collect.syslog.listeners[0].port": listener(port=70000),
    "spec.collect.syslog.listeners[0].clientAuth": listener(clientAuth="Maybe"),
    "spec.collect.buffer.size": pipeline(collect={"buffer": {"size": "much"}}),
    "spec.collect.buffer.path": pipeline(collect={"buffer": {"path": "relative"}}),
    "spec.collect.http.port": pipeline(collect={"http": {"enabled": True, "port": 0}}),
    "spec.collect.syslog.service.type": pipeline(collect={"syslog": {"service": {"type": "Magic"}}}),
    "spec.detect.modelRef": pipeline(detect={}),
    "spec.detect.modelRef.name": pipeline(detect={"modelRef": {"name": "Not_A_Label"}}),
    "spec.store.retention": pipeline(store={"retention": "0d"}),
    "spec.store.databaseSecretRef.key": pipeline(store={"databaseSecretRef": {"name": "db"}}),
    "spec.alerts.lossPercent": pipeline(alerts={"lossPercent": 101}),
    "spec.alerts.minimumSeverity": pipeline(alerts={"minimumSeverity": "loud"}),
    "spec.alerts.alertmanagerURL": pipeline(alerts={"alertmanagerURL": "alertmanager"}),
    "spec.base.family": model(base={"family": "GPT"}),
    "spec.base.model": model(base={"model": "ftp://x"}),
    "spec.unit.kind": model(unit={"kind": "Paragraph"}),
    "spec.unit.window.lines": model(unit={"window": {"lines": 0}}),
    "spec.training.mode": model(training={"mode": "Guess"}),
    "spec.training.epochs": model(training={"epochs": 0}),
    "spec.training.learningRate": model(training={"learningRate": 0}),
    "spec.training.lora.dropout": model(training={"lora": {"dropout": 1}}),
    "spec.training.schedule": model(training={"schedule": "sometimes"}),
    "spec.training.nodes": model(training={"nodes": 0}),
    "nodes must not be greater than batchSize": model(training={"nodes": 9, "batchSize": 8}),
    "spec.training.datasets[0].format": model(training={"datasets": [{"uri": "a", "format": "xls"}]}),
    "spec.training.resources.limits.memory": model(training={"resources": {"limits": {"memory": "lots"}}}),
    "spec.threshold.method": model(threshold={"method": "luck"}),
    "spec.threshold.value": model(threshold={"value": 2}),
    "spec.promotion.minimumF1": model(promotion={"minimumF1": 1.5}),
    "spec.promotion.keepRevisions": model(promotion={"keepRevisions": 0}),
    "spec.promotion.revision": model(promotion={"revision": "latest"}),
    "spec.storage.uri": model(storage={"uri": "https://read.only/"}),
    "spec.serving.runtime": model(serving={"runtime": "TPU"}),
    "spec.serving.replicas.max": model(serving={"replicas": {"max": 0}}),
    "spec.explanation.backend": model(explanation={"backend": "oracle"}),
    "spec.explanation.openAI.url": model(explanation={"openAI": {"url": "x", "model": "y"}}),
    "spec.explanation.mask[0]": model(explanation={"mask": ["names"]}),
}


@pytest.mark.parametrize("field", REFUSED)
def test_a_wrong_value_is_refused_with_the_name_of_its_field(bare_server: ApiServer, field: str) -> None:
    said = refusal(bare_server, REFUSED[field])
    assert field in said
    assert "Invalid" in said or "invalid" in said


def test_there_are_thirty_wrong_specs_of_each_kind() -> None:
    """Together with those that only the operator can refuse."""
    refused = Counter(document["kind"] for document in REFUSED.values())
    assert refused["LogPipeline"] + len(WRONG_PIPELINES) >= 30
    assert refused["AnomalyModel"] + len(WRONG_MODELS) >= 30


def test_an_unknown_field_is_refused_by_name(bare_server: ApiServer) -> None:
    said = refusal(bare_server, pipeline(collekt={}), "--validate=strict")
    assert 'unknown field "spec.collekt"' in said


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ({"partitions": 6}, {"partitions": 12}, ""),
        ({"partitions": 6}, {"partitions": 5}, "partitions can grow, never shrink"),
        ({"name": "raw"}, {"name": "other"}, "the topic's name cannot be changed"),
    ],
)
def test_rules_about_changes(
    bare_server: ApiServer, namespace: str, before: Document, after: Document, words: str
) -> None:
    def kafka(topic: Document) -> str:
        return json.dumps(pipeline(kafka={"bootstrapServers": "a:1", "topic": topic}))

    bare_server.kubectl("apply", "-n", namespace, "-f", "-", given=kafka(before))
    said = bare_server.kubectl("apply", "-n", namespace, "-f", "-", given=kafka(after), check=False)
    assert words in said
    assert ("configured" in said) is (words == "")
