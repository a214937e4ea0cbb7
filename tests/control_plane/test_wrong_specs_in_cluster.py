"""Specs that the API server cannot see through end as a False condition that names the field, soon and quietly."""

from __future__ import annotations

import time

import pytest

from tests.control_plane.documents import MODEL, PIPELINE, SECRET_VALUE, TRAINED, apply, make_secret
from tests.control_plane.running import Operator, condition, eventually
from tests.services.apiserver import ApiServer

pytestmark = pytest.mark.cluster

SOON_SECONDS = 30
"""Generous: on a quiet machine it is one or two."""

MASKED = PIPELINE + "  privacy: {mask: [ip], keySecretRef: {name: logwarden-db, key: uri}}\n"
SYSLOG = PIPELINE[PIPELINE.index("    syslog:") : PIPELINE.index("    http:")]
WRONG_PIPELINES = {
    "spec.privacy.at: found Collection, which a syslog-ng cannot do": MASKED,
    "spec.privacy.at: found Collection, but nothing in spec.collect masks": MASKED.replace(SYSLOG, "").replace(
        "enabled: true", "enabled: false"
    ),
    "spec.kafka": PIPELINE.replace('  kafka: {bootstrapServers: "kafka.example:9092"}\n', ""),
    "spec.store.databaseSecretRef": PIPELINE.replace(
        "  store: {databaseSecretRef: {name: logwarden-db, key: uri}}\n", ""
    ),
    "Secret no-such-db": PIPELINE.replace("logwarden-db", "no-such-db"),
    "AnomalyModel nobody": PIPELINE.replace("modelRef: {name: campus}", "modelRef: {name: nobody}"),
    "spec.collect.http.tokenSecretRef": PIPELINE.replace(
        "enabled: true", "enabled: true, tokenSecretRef: {name: none}"
    ),
    "spec.collect.http.tlsSecretRef": PIPELINE.replace("enabled: true", "enabled: true, tlsSecretRef: {name: none}"),
    "spec.collect.syslog.listeners[0].tlsSecretRef": PIPELINE.replace(
        "transport: UDP", "transport: TLS, tlsSecretRef: {name: none}"
    ),
    "spec.kafka.sasl.credentialsSecretRef": PIPELINE.replace(
        '"kafka.example:9092"', '"k:9092", sasl: {credentialsSecretRef: {name: none}}'
    ),
    "spec.kafka.tls.caSecretRef": PIPELINE.replace(
        '"kafka.example:9092"', '"k:9092", tls: {caSecretRef: {name: none, key: ca.crt}}'
    ),
    "spec.collect.syslog.listeners[0].port": PIPELINE.replace(
        "transport: UDP, port: 5514", "transport: TCP, port: 9090"
    ),
    "spec.collect.buffer.size": PIPELINE.replace("collect:", "collect:\n    buffer: {size: 1Mi}"),
}
WRONG_MODELS = {
    "spec.unit.session.key": MODEL + 'spec: {unit: {kind: Session, session: {key: "(unclosed"}}}\n',
    "spec.training.lora.targetModules": MODEL + 'spec: {training: {lora: {targetModules: "*"}}}\n',
    "spec.base.credentialsSecretRef": MODEL + "spec: {base: {credentialsSecretRef: {name: none}}}\n",
    "spec.storage.credentialsSecretRef": MODEL + "spec: {storage: {credentialsSecretRef: {name: none}}}\n",
    "spec.explanation.openAI.apiKeySecretRef": MODEL
    + 'spec: {explanation: {openAI: {url: "http://a", model: b, apiKeySecretRef: {name: none, key: k}}}}\n',
    "spec.storage.uri": MODEL + 'spec: {storage: {uri: "file:///srv/models"}}\n',
    "spec.training.nodes": MODEL + 'spec: {training: {nodes: 2}, storage: {uri: "s3://models/campus"}}\n',
    "spec.training.datasets[0].uri": TRAINED.replace("pvc://history/2026/10", "gs://logs/2026/10/"),
    "spec.training.datasets[0].topic": MODEL + "spec: {training: {datasets: [{topic: {last: 7d}}]}}\n",
    "spec.serving.runtime: Torch needs nvidia.com/gpu": MODEL + "spec: {serving: {runtime: Torch}}\n",
    "spec.serving.runtime: ONNX computes on CPUs": MODEL
    + "spec: {serving: {runtime: ONNX, resources: {limits: {nvidia.com/gpu: 1}}}}\n",
    "claim nowhere": TRAINED.replace("pvc://history/2026/10", "pvc://nowhere/x"),
}


def complaints(server: ApiServer, namespace: str, kind: str) -> str:
    found = server.get(kind, "campus", "-n", namespace)["status"]["conditions"]
    return "\n".join(one["message"] for one in found if one["status"] == "False")


@pytest.mark.parametrize("words", WRONG_PIPELINES)
def test_a_wrong_pipeline(server: ApiServer, operator: Operator, namespace: str, words: str) -> None:
    make_secret(server, namespace)
    apply(server, namespace, MODEL, WRONG_PIPELINES[words])
    eventually(lambda: words in complaints(server, namespace, "lpipe"), words, operator, SOON_SECONDS)
    assert condition(server.get("lpipe", "campus", "-n", namespace), "Ready")["status"] == "False"


@pytest.mark.parametrize("words", WRONG_MODELS)
def test_a_wrong_model(server: ApiServer, operator: Operator, namespace: str, words: str) -> None:
    apply(server, namespace, WRONG_MODELS[words])
    eventually(lambda: words in complaints(server, namespace, "amodel"), words, operator, SOON_SECONDS)
    assert condition(server.get("amodel", "campus", "-n", namespace), "Ready")["status"] == "False"


def test_the_log_holds_neither_a_traceback_nor_a_secret(server: ApiServer, operator: Operator, namespace: str) -> None:
    """It holds all that the tests before this one led to."""
    make_secret(server, namespace)
    apply(server, namespace, MODEL, PIPELINE)
    eventually(lambda: server.get("deploy", "campus-detector", "-n", namespace), "children", operator)
    time.sleep(1)
    assert "Traceback" not in operator.log
    assert SECRET_VALUE not in operator.log
    assert "hunter2" not in server.kubectl("get", "cm,deploy,ds,lpipe,amodel,events", "-A", "-o", "yaml")
