"""What becomes of a LogPipeline on a real API server, under the chart's own rights."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.control_plane.documents import (
    MODEL,
    PIPELINE,
    apply,
    end_job,
    ended,
    make_pod,
    make_secret,
    run_workloads,
    set_status,
)
from tests.control_plane.running import OPERATOR_POD, Object, Operator, condition, eventually
from tests.services.apiserver import ApiServer

pytestmark = pytest.mark.cluster

STRIMZI = PIPELINE.replace(
    'kafka: {bootstrapServers: "kafka.example:9092"}', "kafka: {strimzi: {cluster: main, namespace: KAFKA}}"
)
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "cluster.yaml"
CHILDREN = "deploy,ds,svc,cm,pdb,netpol"


def pipeline(server: ApiServer, namespace: str) -> Object:
    return server.get("lpipe", "campus", "-n", namespace)


def reason(server: ApiServer, namespace: str, type_: str) -> str:
    return str(condition(pipeline(server, namespace), type_)["reason"])


def names(server: ApiServer, namespace: str, kinds: str = CHILDREN) -> set[str]:
    listed = server.kubectl("get", kinds, "-n", namespace, "-o", "name").split()
    return {name for name in listed if "kube-root-ca" not in name}


def checking(server: ApiServer, operator: Operator, namespace: str) -> str:
    """Return the name of the Job that checks a changed configuration."""
    jobs = eventually(lambda: server.get("jobs", "-n", namespace)["items"], "a Job", operator)
    return str(jobs[0]["metadata"]["name"])


@pytest.fixture
def running(server: ApiServer, operator: Operator, namespace: str) -> Iterator[str]:
    """A namespace with a pipeline whose children were made."""
    make_secret(server, namespace)
    apply(server, namespace, MODEL, PIPELINE)
    eventually(lambda: reason(server, namespace, "Ready"), "a status", operator)
    return namespace


def test_children_are_made_and_the_status_is_about_this_generation(server: ApiServer, running: str) -> None:
    assert {
        "deployment.apps/campus-detector",
        "deployment.apps/campus-ingest",
        "daemonset.apps/campus-collector",
        "service/campus-collector",
        "service/campus-ingest",
        "configmap/campus-collector",
        "poddisruptionbudget.policy/campus-detector",
        "networkpolicy.networking.k8s.io/campus-detector",
    } <= names(server, running)
    found = pipeline(server, running)
    generation = found["metadata"]["generation"]
    assert found["status"]["observedGeneration"] == generation
    assert {one["observedGeneration"] for one in found["status"]["conditions"]} == {generation}
    assert {one["type"]: one["status"] for one in found["status"]["conditions"]} == {
        "ConfigValid": "True",
        "TopicReady": "True",
        "CollectorReady": "Unknown",
        "DetectorReady": "Unknown",
        "FlowHealthy": "Unknown",
        "Ready": "False",
    }


def test_every_child_goes_with_its_pipeline(server: ApiServer, running: str) -> None:
    """Nothing collects garbage here: the references by which it would be are what counts."""
    uid = pipeline(server, running)["metadata"]["uid"]
    for child in server.get(CHILDREN, "-n", running)["items"]:
        if child["metadata"]["name"] != "kube-root-ca.crt":
            assert [one["uid"] for one in child["metadata"]["ownerReferences"]] == [uid]


def test_it_is_ready_when_all_pods_are(server: ApiServer, operator: Operator, running: str) -> None:
    run_workloads(server, running)
    eventually(lambda: condition(pipeline(server, running), "Ready")["status"] == "True", "Ready", operator)
    assert "Ready" in server.kubectl("get", "lpipe", "-n", running)
    assert pipeline(server, running)["status"]["activeRevision"] == "builtin"
    told = server.get("events", "-n", running)["items"]
    assert any(one["reason"] == "AllConditionsTrue" for one in told)
    eventually(
        lambda: condition(server.get("amodel", "campus", "-n", running), "Serving")["status"] == "True",
        "the model serves",
        operator,
    )


def test_what_somebody_deletes_or_changes_is_repaired(server: ApiServer, operator: Operator, running: str) -> None:
    server.kubectl("delete", "deploy", "campus-detector", "-n", running)
    server.kubectl("patch", "svc", "campus-ingest", "-n", running, "--type=json", "-p",
                   '[{"op": "replace", "path": "/spec/ports/0/port", "value": 1234}]')  # fmt: skip
    server.kubectl("patch", "cm", "campus-collector", "-n", running, "-p", '{"data": {"syslog-ng.conf": "nonsense"}}')
    eventually(lambda: "deployment.apps/campus-detector" in names(server, running), "made again", operator)
    eventually(
        lambda: server.get("svc", "campus-ingest", "-n", running)["spec"]["ports"][0]["port"] == 8080, "port", operator
    )
    eventually(
        lambda: "kafka-c" in server.get("cm", "campus-collector", "-n", running)["data"]["syslog-ng.conf"],
        "configuration",
        operator,
    )


def test_what_others_add_is_left_alone(server: ApiServer, operator: Operator, running: str) -> None:
    server.kubectl("annotate", "deploy", "campus-detector", "-n", running, "example.com/seen=yes")
    apply(server, running, PIPELINE.replace("port: 5514", "port: 5515"))
    end_job(server, running, checking(server, operator, running), well=True)
    eventually(
        lambda: server.get("svc", "campus-collector", "-n", running)["spec"]["ports"][0]["port"] == 5515,
        "port",
        operator,
    )
    annotations = server.get("deploy", "campus-detector", "-n", running)["metadata"]["annotations"]
    assert annotations["example.com/seen"] == "yes"


def test_what_is_no_longer_declared_goes(server: ApiServer, operator: Operator, running: str) -> None:
    apply(server, running, PIPELINE.replace("http: {enabled: true}", "http: {enabled: false}"))
    eventually(lambda: not any("ingest" in name for name in names(server, running)), "no ingest", operator)
    assert "deployment.apps/campus-detector" in names(server, running)


def hash_of_collectors(server: ApiServer, namespace: str) -> str:
    template = server.get("ds", "campus-collector", "-n", namespace)["spec"]["template"]
    return str(template["metadata"]["annotations"]["logwarden.dev/config-hash"])


def test_a_changed_configuration_rolls_the_collectors_once_it_was_checked(
    server: ApiServer, operator: Operator, running: str
) -> None:
    before = hash_of_collectors(server, running)
    apply(server, running, PIPELINE.replace("port: 5514", "port: 5515"))
    job = checking(server, operator, running)
    assert server.get("job", job, "-n", running)["spec"]["template"]["spec"]["containers"][0]["command"][:2] == [
        "syslog-ng",
        "--syntax-only",
    ]
    assert "5515" in server.get("cm", job, "-n", running)["data"]["syslog-ng.conf"]
    eventually(lambda: reason(server, running, "CollectorReady") == "Checking", "Checking", operator)
    assert hash_of_collectors(server, running) == before
    assert "5514" in server.get("cm", "campus-collector", "-n", running)["data"]["syslog-ng.conf"]
    end_job(server, running, job, well=True)
    eventually(lambda: hash_of_collectors(server, running) != before, "another hash", operator)
    eventually(lambda: server.get("jobs", "-n", running)["items"] == [], "no Job left", operator)
    assert f"configmap/{job}" not in names(server, running)


def test_a_configuration_that_syslog_ng_refuses_reaches_no_collector(
    server: ApiServer, operator: Operator, running: str
) -> None:
    before = hash_of_collectors(server, running)
    apply(server, running, PIPELINE.replace("port: 5514", "port: 5515"))
    job = checking(server, operator, running)
    labels = server.get("job", job, "-n", running)["spec"]["template"]["metadata"]["labels"]
    make_pod(server, running, labels, ended(1, "Error parsing source statement, unknown option", "Error"))
    end_job(server, running, job, well=False)
    eventually(lambda: reason(server, running, "CollectorReady") == "ConfigRefused", "ConfigRefused", operator)
    message = condition(pipeline(server, running), "CollectorReady")["message"]
    assert "Error parsing source statement" in message
    assert "go on with the old one" in message
    assert hash_of_collectors(server, running) == before
    apply(server, running, PIPELINE)
    eventually(lambda: server.get("jobs", "-n", running)["items"] == [], "the old configuration is back", operator)
    eventually(lambda: reason(server, running, "CollectorReady") != "ConfigRefused", "as before", operator)


def test_a_pause_holds_the_operator_off_until_it_ends(server: ApiServer, operator: Operator, running: str) -> None:
    server.kubectl("annotate", "lpipe", "campus", "-n", running, "logwarden.dev/paused=true")
    eventually(lambda: condition(pipeline(server, running), "Paused")["status"] == "True", "paused", operator)
    server.kubectl("delete", "deploy", "campus-detector", "-n", running)
    apply(server, running, PIPELINE.replace("port: 5514", "port: 5515"))
    time.sleep(3)
    found = pipeline(server, running)
    assert found["status"]["observedGeneration"] < found["metadata"]["generation"]
    assert condition(found, "Ready")["observedGeneration"] < found["metadata"]["generation"]
    assert "deployment.apps/campus-detector" not in names(server, running)
    server.kubectl("annotate", "lpipe", "campus", "-n", running, "logwarden.dev/paused-")
    eventually(lambda: "deployment.apps/campus-detector" in names(server, running), "made again", operator)
    assert condition(pipeline(server, running), "Paused") == {}


def test_detectors_move_to_gpus_and_back(server: ApiServer, operator: Operator, running: str) -> None:
    def limits() -> dict[str, str]:
        pod = server.get("deploy", "campus-detector", "-n", running)["spec"]["template"]["spec"]
        return dict(pod["containers"][0]["resources"].get("limits", {}))

    apply(server, running, MODEL + "spec: {serving: {resources: {limits: {nvidia.com/gpu: 1}}}}\n")
    eventually(lambda: limits() == {"nvidia.com/gpu": "1"}, "a GPU", operator)
    apply(server, running, MODEL)
    eventually(lambda: limits() == {}, "no GPU", operator)


def test_a_mistake_in_the_model_does_not_stop_the_detectors(
    server: ApiServer, operator: Operator, running: str
) -> None:
    apply(server, running, MODEL + 'spec: {unit: {kind: Session, session: {key: "(unclosed"}}}\n')
    eventually(lambda: reason(server, running, "DetectorReady") == "ModelInvalid", "ModelInvalid", operator)
    assert pipeline(server, running)["status"]["activeRevision"] == "builtin"
    assert "deployment.apps/campus-detector" in names(server, running)
    server.kubectl("delete", "amodel", "campus", "-n", running)
    eventually(lambda: "deployment.apps/campus-detector" not in names(server, running), "no detector", operator)


@pytest.mark.parametrize(
    ("status", "wanted", "words"),
    [
        (
            {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                             "message": "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."}]},
            "Unschedulable",
            "Insufficient nvidia.com/gpu",
        ),
        (
            {"containerStatuses": [{"name": "detector", "image": "x", "imageID": "", "ready": False, "restartCount": 4,
                                    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                                    "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}]},
            "OOMKilled",
            "resources.limits.memory",
        ),
        (
            {"containerStatuses": [{"name": "detector", "image": "x", "imageID": "", "ready": False, "restartCount": 0,
                                    "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such tag"}}}]},
            "ImagePullBackOff",
            "no such tag",
        ),
    ],
    ids=["no node", "out of memory", "no image"],
)  # fmt: skip
def test_the_cause_is_in_the_condition(
    server: ApiServer, operator: Operator, running: str, status: Object, wanted: str, words: str
) -> None:
    deployment = server.get("deploy", "campus-detector", "-n", running)
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    make_pod(server, running, labels, status)
    generation = deployment["metadata"]["generation"]
    set_status(server, running, "deploy", "campus-detector", {"observedGeneration": generation, "replicas": 1})
    eventually(lambda: reason(server, running, "DetectorReady") == wanted, wanted, operator)
    assert words in condition(pipeline(server, running), "DetectorReady")["message"]
    assert pipeline(server, running)["status"]["phase"] == "Degraded"


def test_a_missing_secret_is_named_and_then_found(server: ApiServer, operator: Operator, namespace: str) -> None:
    apply(server, namespace, MODEL, PIPELINE)
    eventually(lambda: reason(server, namespace, "ConfigValid") == "SecretMissing", "SecretMissing", operator)
    message = condition(pipeline(server, namespace), "ConfigValid")["message"]
    assert "spec.store.databaseSecretRef: Secret logwarden-db" in message
    make_secret(server, namespace)
    eventually(lambda: reason(server, namespace, "ConfigValid") == "Valid", "Valid", operator)


def test_a_model_that_comes_later_is_noticed(server: ApiServer, operator: Operator, namespace: str) -> None:
    make_secret(server, namespace)
    apply(server, namespace, PIPELINE)
    eventually(lambda: reason(server, namespace, "DetectorReady") == "ModelMissing", "ModelMissing", operator)
    apply(server, namespace, MODEL)
    eventually(lambda: "deployment.apps/campus-detector" in names(server, namespace), "a detector", operator)


def test_an_object_of_somebody_else_is_never_taken_over(server: ApiServer, operator: Operator, namespace: str) -> None:
    make_secret(server, namespace)
    server.kubectl("create", "configmap", "campus-detector", "--from-literal=resources.yaml=mine", "-n", namespace)
    apply(server, namespace, MODEL, PIPELINE)
    eventually(lambda: reason(server, namespace, "ConfigValid") == "NameTaken", "NameTaken", operator)
    assert "ConfigMap" in condition(pipeline(server, namespace), "ConfigValid")["message"]
    assert server.get("cm", "campus-detector", "-n", namespace)["data"] == {"resources.yaml": "mine"}


def test_the_heartbeat_goes_with_the_pod_that_beats(server: ApiServer, operator: Operator) -> None:
    heartbeat = eventually(lambda: server.get("cm", "logwarden-operator-heartbeat", "-n", "logwarden"), "it", operator)
    (owner,) = heartbeat["metadata"]["ownerReferences"]
    assert f"{owner['kind']} {owner['name']}/{owner['uid']}" == f"Pod {OPERATOR_POD}"


@pytest.fixture
def kafka_namespace(strimzi: ApiServer, namespace: str) -> str:
    """A namespace in which Strimzi would run Kafka."""
    name = f"{namespace[:40]}-of-kafka"
    strimzi.kubectl("create", "namespace", name)
    return name


def topics(server: ApiServer, namespace: str) -> list[Object]:
    found: list[Object] = server.get("kafkatopics", "-n", namespace)["items"]
    return found


def ready(server: ApiServer, namespace: str, kind: str, child: Object) -> None:
    """Say what Strimzi's operators say when they have done their work."""
    told = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-25T12:00:00Z"}
    status = {"conditions": [told], "observedGeneration": child["metadata"]["generation"]}
    set_status(server, namespace, kind, child["metadata"]["name"], status)


def test_topics_are_made_beside_kafka_reported_on_and_deleted_with_the_pipeline(
    server: ApiServer, operator: Operator, namespace: str, kafka_namespace: str
) -> None:
    make_secret(server, namespace)
    apply(server, namespace, MODEL, STRIMZI.replace("KAFKA", kafka_namespace))
    eventually(lambda: len(topics(server, kafka_namespace)) == 3, "three topics", operator, seconds=90)
    eventually(lambda: reason(server, namespace, "TopicReady") == "WaitingForStrimzi", "waiting", operator)
    assert pipeline(server, namespace)["metadata"]["finalizers"] == ["logwarden.dev/topics"]
    for topic in topics(server, kafka_namespace):
        ready(server, kafka_namespace, "kafkatopic", topic)
    eventually(lambda: reason(server, namespace, "TopicReady") == "TopicsReady", "TopicsReady", operator)
    server.kubectl("delete", "lpipe", "campus", "-n", namespace, "--timeout=60s")
    assert topics(server, kafka_namespace) == []


def with_user(kafka_namespace: str) -> str:
    """Return a pipeline that asks for a KafkaUser named campus."""
    kafka = f"strimzi: {{cluster: main, namespace: {kafka_namespace}, user: {{name: campus}}}}"
    sasl = "sasl: {credentialsSecretRef: {name: kafka-login}}"
    return STRIMZI.replace("strimzi: {cluster: main, namespace: KAFKA}", f"{kafka}, {sasl}")


def test_a_user_of_kafka_is_made_with_the_rights_it_needs_and_goes_with_the_pipeline(
    server: ApiServer, operator: Operator, namespace: str, kafka_namespace: str
) -> None:
    make_secret(server, namespace)
    make_secret(server, namespace, "kafka-login")
    apply(server, namespace, MODEL, with_user(kafka_namespace))
    user = eventually(lambda: server.get("kafkauser", "campus", "-n", kafka_namespace), "a user", operator, seconds=90)
    assert user["metadata"]["labels"]["strimzi.io/cluster"] == "main"
    password = user["spec"]["authentication"]["password"]["valueFrom"]["secretKeyRef"]
    assert password == {"name": "kafka-login", "key": "password"}
    rights = {(one["resource"]["type"], one["resource"].get("name")) for one in user["spec"]["authorization"]["acls"]}
    assert ("transactionalId", f"logwarden-{namespace}/campus/") in rights
    assert ("group", f"logwarden-{namespace}/campus") in rights
    eventually(lambda: len(topics(server, kafka_namespace)) == 3, "three topics", operator)
    for topic in topics(server, kafka_namespace):
        ready(server, kafka_namespace, "kafkatopic", topic)
    eventually(
        lambda: "KafkaUser" in condition(pipeline(server, namespace), "TopicReady")["message"], "waiting", operator
    )
    ready(server, kafka_namespace, "kafkauser", user)
    eventually(lambda: reason(server, namespace, "TopicReady") == "TopicsReady", "TopicsReady", operator)
    server.kubectl("delete", "lpipe", "campus", "-n", namespace, "--timeout=60s")
    assert server.get("kafkausers", "-n", kafka_namespace)["items"] == []


def test_a_user_of_kafka_that_another_pipeline_has_is_not_taken_over(
    server: ApiServer, operator: Operator, namespace: str, kafka_namespace: str
) -> None:
    other = f"{namespace[:40]}-other"
    server.kubectl("create", "namespace", other)
    for place in (namespace, other):
        make_secret(server, place)
        make_secret(server, place, "kafka-login")
    apply(server, namespace, MODEL, with_user(kafka_namespace))
    user = eventually(lambda: server.get("kafkauser", "campus", "-n", kafka_namespace), "a user", operator, seconds=90)
    apply(server, other, MODEL, with_user(kafka_namespace))
    eventually(lambda: reason(server, other, "ConfigValid") == "NameTaken", "NameTaken", operator)
    message = condition(pipeline(server, other), "ConfigValid")["message"]
    assert f"KafkaUser {kafka_namespace}/campus belongs to LogPipeline {namespace}/campus" in message
    after = server.get("kafkauser", "campus", "-n", kafka_namespace)
    assert (after["metadata"]["labels"], after["spec"]) == (user["metadata"]["labels"], user["spec"])
    for place in (other, namespace):
        server.kubectl("delete", "lpipe", "campus", "-n", place, "--timeout=60s")


def test_a_namespace_of_kafka_that_does_not_exist_is_named(
    server: ApiServer, operator: Operator, namespace: str, kafka_namespace: str
) -> None:
    make_secret(server, namespace)
    apply(server, namespace, MODEL, STRIMZI.replace("KAFKA", "nowhere"))
    eventually(lambda: reason(server, namespace, "ConfigValid") == "NamespaceMissing", "NamespaceMissing", operator)
    assert 'namespaces "nowhere" not found' in condition(pipeline(server, namespace), "ConfigValid")["message"]
    server.kubectl("delete", "lpipe", "campus", "-n", namespace, "--timeout=60s")


def test_a_topic_that_strimzi_refuses_is_reported_in_its_words(
    server: ApiServer, operator: Operator, namespace: str, kafka_namespace: str
) -> None:
    make_secret(server, namespace)
    apply(server, namespace, MODEL, STRIMZI.replace("KAFKA", kafka_namespace))
    eventually(lambda: len(topics(server, kafka_namespace)) == 3, "three topics", operator, seconds=90)
    topic = topics(server, kafka_namespace)[0]
    refused = {"type": "Ready", "status": "False", "reason": "KafkaError", "message": "Replication factor: 3 larger"}
    status = {"conditions": [refused], "observedGeneration": topic["metadata"]["generation"]}
    set_status(server, kafka_namespace, "kafkatopic", topic["metadata"]["name"], status)
    eventually(lambda: reason(server, namespace, "TopicReady") == "KafkaError", "KafkaError", operator)
    assert "Replication factor" in condition(pipeline(server, namespace), "TopicReady")["message"]


def test_topics_of_before_keep_their_logs_when_a_pipeline_goes_to_another_kafka(
    server: ApiServer, operator: Operator, namespace: str, kafka_namespace: str
) -> None:
    make_secret(server, namespace)
    apply(server, namespace, MODEL, STRIMZI.replace("KAFKA", kafka_namespace))
    eventually(lambda: len(topics(server, kafka_namespace)) == 3, "three topics", operator, seconds=90)
    server.kubectl("patch", "lpipe", "campus", "-n", namespace, "--type=json", "-p", json.dumps(
        [{"op": "replace", "path": "/spec/kafka/strimzi/namespace", "value": namespace}]))  # fmt: skip
    eventually(lambda: len(topics(server, namespace)) == 3, "topics in the other namespace", operator)
    assert len(topics(server, kafka_namespace)) == 3
    server.kubectl("delete", "lpipe", "campus", "-n", namespace, "--timeout=60s")
    eventually(lambda: topics(server, kafka_namespace) == [], "no topics left", operator)


def test_a_pipeline_can_be_deleted_after_strimzi_is_gone(
    server: ApiServer, operator: Operator, namespace: str, kafka_namespace: str
) -> None:
    make_secret(server, namespace)
    apply(server, namespace, MODEL, STRIMZI.replace("KAFKA", kafka_namespace))
    eventually(lambda: len(topics(server, kafka_namespace)) == 3, "three topics", operator, seconds=90)
    definition = server.get("crd", "kafkatopics.kafka.strimzi.io")
    server.kubectl("delete", "crd", "kafkatopics.kafka.strimzi.io", "--timeout=60s")
    try:
        server.kubectl("delete", "lpipe", "campus", "-n", namespace, "--timeout=60s")
    finally:
        metadata = {"name": definition["metadata"]["name"], "labels": definition["metadata"].get("labels", {})}
        again = {**definition, "metadata": metadata, "status": None}
        server.kubectl("apply", "--server-side", "-f", "-", given=json.dumps(again))
        server.kubectl("wait", "--for=condition=Established", "crd/kafkatopics.kafka.strimzi.io", "--timeout=60s")


def test_the_example_for_a_cluster_gets_everything_it_names(
    server: ApiServer, operator: Operator, namespace: str, kafka_namespace: str
) -> None:
    make_secret(server, namespace)
    text = re.sub(r"# (strimzi:|  cluster: main|  namespace: kafka)", r"\1", EXAMPLE.read_text())  # its other form
    text = re.sub(r" *bootstrapServers: .*\n", "", text)
    text = text.replace("namespace: kafka\n", f"namespace: {kafka_namespace}\n")
    apply(server, namespace, text)
    eventually(lambda: reason(server, namespace, "TopicReady") == "WaitingForStrimzi", "waiting", operator, seconds=90)
    assert condition(pipeline(server, namespace), "ConfigValid")["status"] == "True"
    assert [one["spec"]["topicName"] for one in topics(server, kafka_namespace)] == [
        "netlogs-anomalies",
        "netlogs-raw.dlq",
        "netlogs-raw",
    ]
    assert server.get("svc", "campus-collector", "-n", namespace)["spec"]["externalTrafficPolicy"] == "Local"


@pytest.mark.parametrize("path", sorted(EXAMPLE.parent.glob("*.yaml")), ids=lambda path: path.name)
def test_every_example_is_taken_by_the_api_server(server: ApiServer, path: Path) -> None:
    assert "created" in server.kubectl("create", "--dry-run=server", "--validate=strict", "-f", str(path))
