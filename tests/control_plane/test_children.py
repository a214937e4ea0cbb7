"""What the operator makes of the two resources, as plain values."""

from __future__ import annotations

from pathlib import Path

import pytest

from logwarden.api.load import load_pipelines, load_resources
from logwarden.kafka.settings import settings_of
from logwarden_operator.children.documents import pod_documents
from logwarden_operator.children.quantities import canonical
from logwarden_operator.children.training import job_name, training_hash
from tests.control_plane.builders import ALL_CRDS, GOLDEN, cases, children_of, documents, find, made, resources

SMALL = (GOLDEN / "small.input.yaml").read_text()
FULL = (GOLDEN / "full.input.yaml").read_text()
SHARED = (GOLDEN / "shared.input.yaml").read_text()
SCHEDULED = (GOLDEN / "scheduled.input.yaml").read_text()
COLLECTED = (GOLDEN / "collected.input.yaml").read_text()


@pytest.mark.parametrize("case", cases())
def test_children_are_the_golden_ones(case: str) -> None:
    """After a wanted change, ``python -m tests.control_plane.builders`` writes them anew."""
    assert made(case) == (GOLDEN / f"{case}.children.yaml").read_text()


def test_optional_kinds_are_made_only_where_they_exist() -> None:
    optional = {"KafkaTopic", "ScaledObject", "TriggerAuthentication", "PodMonitor", "PrometheusRule"}
    assert {child["kind"] for child in children_of(FULL)} & optional == set()
    assert optional <= {child["kind"] for child in children_of(FULL, available=ALL_CRDS)}


def test_topics_lie_in_the_namespace_of_kafka_without_an_owner() -> None:
    topics = [child for child in children_of(FULL, available=ALL_CRDS) if child["kind"] == "KafkaTopic"]
    assert [topic["spec"]["topicName"] for topic in topics] == ["netlogs-raw", "netlogs-anomalies", "netlogs-raw.dlq"]
    for topic in topics:
        assert topic["metadata"]["namespace"] == "kafka"
        assert topic["metadata"]["labels"]["strimzi.io/cluster"] == "main"
        assert "ownerReferences" not in topic["metadata"]
        assert topic["spec"]["config"]["retention.ms"] == 7 * 86400 * 1000


def test_keda_looks_at_the_group_of_the_detectors() -> None:
    trigger = find(children_of(FULL, available=ALL_CRDS), "ScaledObject", "campus-detector")["spec"]["triggers"][0]
    assert trigger["metadata"]["consumerGroup"] == "logwarden-netops/campus"


def test_a_user_of_kafka_may_use_the_groups_of_its_own_pipeline_only() -> None:
    user = next(child for child in children_of(FULL, available=ALL_CRDS) if child["kind"] == "KafkaUser")
    groups = [one["resource"] for one in user["spec"]["authorization"]["acls"] if one["resource"]["type"] == "group"]
    assert [(one["name"], one["patternType"]) for one in groups] == [
        ("logwarden-netops/campus", "literal"),
        ("logwarden-netops/campus-deadletters", "literal"),
    ]


def test_topics_beside_the_pipeline_go_with_it() -> None:
    text = FULL.replace(
        "strimzi: {cluster: main, namespace: kafka, user: {name: netops-campus}}", "strimzi: {cluster: main}"
    )
    topics = [child for child in children_of(text, available=ALL_CRDS) if child["kind"] == "KafkaTopic"]
    assert all(topic["metadata"]["ownerReferences"] for topic in topics)
    assert {topic["metadata"]["namespace"] for topic in topics} == {"netops"}


def test_secrets_are_files_and_no_variables() -> None:
    for child in children_of(FULL, available=ALL_CRDS):
        if child["kind"] in ("Deployment", "DaemonSet"):
            pod = child["spec"]["template"]["spec"]
            assert "secretKeyRef" not in str(pod)
            assert "secretRef" not in str(pod)
            assert any("secret" in volume for volume in pod["volumes"])


def test_everything_but_the_collector_is_restricted() -> None:
    for child in children_of(FULL) + children_of(SCHEDULED):
        pod = (child.get("spec") or {}).get("template", {}).get("spec")
        if pod is None or child["kind"] == "DaemonSet":
            continue
        assert pod["automountServiceAccountToken"] is False
        assert not any("hostPath" in volume for volume in pod["volumes"])
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["runAsNonRoot"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["seccompProfile"] == {"type": "RuntimeDefault"}


def test_a_collector_has_time_to_leave_its_transaction_and_keeps_its_buffer_on_the_node() -> None:
    pod = find(children_of(SMALL), "DaemonSet", "small-collector")["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] >= 75
    buffer = next(volume for volume in pod["volumes"] if volume["name"] == "buffer")
    assert buffer["hostPath"]["path"] == "/var/lib/logwarden/netops/small"
    node = next(one for one in pod["containers"][0]["env"] if one["name"] == "NODE_NAME")
    assert node["valueFrom"]["fieldRef"]["fieldPath"] == "spec.nodeName"


@pytest.mark.parametrize(("type_", "policy"), [("ClusterIP", None), ("NodePort", "Local"), ("LoadBalancer", "Local")])
def test_a_service_from_outside_keeps_the_address_of_the_sender(type_: str, policy: str | None) -> None:
    text = FULL.replace("type: LoadBalancer", f"type: {type_}")
    service = find(children_of(text), "Service", "campus-collector")
    assert service["spec"].get("externalTrafficPolicy") == policy


def test_a_pod_reads_addresses_and_folders_instead_of_names_in_the_cluster() -> None:
    config = documents(find(children_of(FULL), "ConfigMap", "campus-detector"))
    assert config["LogPipeline"]["spec"]["kafka"]["bootstrapServers"] == "main-kafka-bootstrap.kafka.svc:9093"
    assert "strimzi" not in config["LogPipeline"]["spec"]["kafka"]
    assert config["AnomalyModel"]["spec"]["storage"]["uri"] == "file:///var/lib/logwarden/claim/campus/models"


def test_revisions_in_object_storage_need_a_secret_and_no_claim() -> None:
    text = FULL.replace('{uri: "pvc://models"}', '{uri: "s3://models/campus", credentialsSecretRef: {name: s3}}')
    children = children_of(text)
    assert not [child for child in children if child["kind"] == "PersistentVolumeClaim"]
    job = next(child for child in children if child["kind"] == "Job")
    for owner, name in ((job, "campus-training"), (find(children, "Deployment", "campus-detector"), "campus-detector")):
        config = documents(find(children, "ConfigMap", name))["AnomalyModel"]
        assert config["spec"]["storage"]["uri"] == "s3://models/campus"
        pod = owner["spec"]["template"]["spec"]
        assert {"secretRef": {"name": "s3"}} in pod["containers"][0]["envFrom"]
        assert "models" not in {volume["name"] for volume in pod["volumes"]}


@pytest.mark.parametrize("text", [SMALL, FULL], ids=["small", "full"])
def test_the_programs_can_read_their_files(text: str) -> None:
    for child in children_of(text):
        if child["kind"] != "ConfigMap":
            continue
        content = child["data"]["resources.yaml"]
        if child["metadata"]["name"].endswith(("-detector", "-ingest")):
            assert len(load_pipelines(content)) == 1
        else:
            assert len(load_resources(content)) == 1


def test_training_reads_its_data_sets_where_they_are_mounted() -> None:
    children = children_of(FULL)
    config = documents(find(children, "ConfigMap", "campus-training"))["AnomalyModel"]
    assert config["spec"]["training"]["datasets"][0]["uri"] == "file:///data/history/2026/10"
    job = next(child for child in children if child["kind"] == "Job")
    mounts = {one["mountPath"]: one for one in job["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]}
    assert mounts["/data/history"]["readOnly"] is True


def test_a_training_sees_a_rollback_that_comes_while_it_runs() -> None:
    """The kubelet brings changes of a ConfigMap to a mounted folder, never to a file that is mounted alone."""
    job = next(child for child in children_of(FULL) if child["kind"] == "Job")
    mounts = job["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
    (config,) = (one for one in mounts if one["name"] == "resources")
    assert config == {"name": "resources", "mountPath": "/etc/logwarden", "readOnly": True}
    assert [one for one in mounts if one["mountPath"].startswith("/etc/logwarden/")] == []


def test_a_training_from_topics_finds_them_and_may_read_them() -> None:
    children = children_of(COLLECTED)
    content = find(children, "ConfigMap", "branch-training")["data"]["resources.yaml"]
    pod = next(child for child in children if child["kind"] == "Job")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    secrets = Path(container["command"][container["command"].index("--secrets") + 1])
    mounts = {Path(one["mountPath"]): one["name"] for one in container["volumeMounts"]}
    sources = {one["name"]: one["secret"]["secretName"] for one in pod["volumes"] if "secret" in one}
    assert {sources[mounts[secrets / name]] for name in sources.values()} == set(sources.values())
    asked: list[str] = []

    def read_secret(name: str, key: str, field: str) -> str:
        asked.append(name)
        return "value"

    pipelines = [one.pipeline for one in load_pipelines(content)]
    settings = [settings_of(pipeline, read_secret) for pipeline in pipelines]
    assert [(one.bootstrap_servers, one.topic.name) for one in settings] == [
        ("main-kafka-bootstrap.kafka.svc:9093", "netlogs-raw"),
        ("kafka.example:9093", "other-raw"),
    ]
    assert {*asked, "pseudonyms"} == set(sources.values())


def test_a_training_from_object_storage_gets_the_credentials_of_the_storage() -> None:
    text = SCHEDULED.replace("pvc://history/2026/10", "s3://logs/2026/10/").replace(
        "  training:\n", "  storage: {credentialsSecretRef: {name: s3-login}}\n  training:\n"
    )
    children = children_of(text)
    config = documents(find(children, "ConfigMap", "wan-training"))["AnomalyModel"]
    assert config["spec"]["training"]["datasets"] == [{"uri": "s3://logs/2026/10/"}]
    job = next(child for child in children if child["kind"] == "Job")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert {"secretRef": {"name": "s3-login"}} in container["envFrom"]


def test_a_training_from_files_gets_no_secrets_of_kafka() -> None:
    job = next(child for child in children_of(FULL) if child["kind"] == "Job")
    assert "--secrets" not in job["spec"]["template"]["spec"]["containers"][0]["command"]
    assert not any("secret" in one for one in job["spec"]["template"]["spec"]["volumes"])


def test_a_detector_has_time_to_bring_a_large_store_up_to_date() -> None:
    (container,) = find(children_of(SMALL), "Deployment", "small-detector")["spec"]["template"]["spec"]["containers"]
    probe = container["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 1800


def test_a_gpu_brings_its_limit_and_toleration() -> None:
    pod = next(child for child in children_of(SCHEDULED) if child["kind"] == "Job")["spec"]["template"]["spec"]
    assert pod["containers"][0]["resources"]["limits"] == {"nvidia.com/gpu": "1", "memory": "16Gi"}
    assert {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"} in pod["tolerations"]


def test_without_a_gpu_detectors_run_without_torch() -> None:
    pod = find(children_of(SMALL, images={"detector": "d:1"}), "Deployment", "small-detector")["spec"]["template"][
        "spec"
    ]
    assert pod["containers"][0]["image"] == "d:1"
    assert "tolerations" not in pod


def test_a_gpu_brings_detectors_with_torch_on_it() -> None:
    given = {"images": {"detector": "d:1", "trainer": "t:1"}, "node_selector": {"pool": "gpu"}}
    children = children_of((GOLDEN / "gpu.input.yaml").read_text(), **given)
    pod = find(children, "Deployment", "core-detector")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert (container["image"], container["command"][-2:]) == ("t:1", ["--device", "cuda"])
    assert container["resources"]["limits"] == {"nvidia.com/gpu": "1", "memory": "8Gi"}
    assert pod["nodeSelector"] == {"pool": "gpu"}
    assert {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"} in pod["tolerations"]


def test_keda_alone_decides_the_number_of_detectors_where_it_is() -> None:
    with_keda = children_of(FULL, available=ALL_CRDS)
    assert "replicas" not in find(with_keda, "Deployment", "campus-detector")["spec"]
    assert find(children_of(FULL), "Deployment", "campus-detector")["spec"]["replicas"] == 1
    trigger = find(with_keda, "ScaledObject", "campus-detector")["spec"]["triggers"][0]
    assert all(isinstance(value, str) for value in trigger["metadata"].values())
    assert trigger["metadata"]["activationLagThreshold"] == "6"


def test_each_job_has_checkpoints_of_its_own_and_the_queue_of_its_model() -> None:
    job = next(child for child in children_of(SCHEDULED) if child["kind"] == "Job")
    container = job["spec"]["template"]["spec"]["containers"][0]
    assert "/var/lib/logwarden/claim/wan/training/$(JOB_NAME)" in container["command"]
    assert any(one["name"] == "JOB_NAME" for one in container["env"])
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "research"


def test_pods_that_share_a_training_find_the_first_and_reach_each_other() -> None:
    children = children_of(SHARED)
    job = next(child for child in children if child["kind"] == "Job")
    pod = job["spec"]["template"]["spec"]
    environment = {one["name"]: one.get("value") for one in pod["containers"][0]["env"]}
    service = find(children, "Service", pod["subdomain"])
    assert environment["MASTER_ADDR"] == f"$(JOB_NAME)-0.{pod['subdomain']}"
    assert environment["MASTER_PORT"] == str(service["spec"]["ports"][0]["port"])
    assert int(environment["WORLD_SIZE"]) == job["spec"]["completions"] == job["spec"]["parallelism"] == 2
    labels = job["spec"]["template"]["metadata"]["labels"]
    policy = find(children, "NetworkPolicy", "core-training")["spec"]
    for selector in (
        service["spec"]["selector"],
        policy["podSelector"]["matchLabels"],
        policy["ingress"][0]["from"][0]["podSelector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()
    assert "ports" not in policy["ingress"][0]


def test_one_pod_meets_nobody() -> None:
    children = children_of(SHARED.replace("nodes: 2", "nodes: 1"))
    assert {child["kind"] for child in children} == {"ConfigMap", "CronJob", "Job", "PersistentVolumeClaim"}


def test_another_number_of_nodes_is_another_job_of_the_same_training() -> None:
    one, two = (resources(SHARED.replace("nodes: 2", f"nodes: {nodes}"))[0] for nodes in (1, 2))
    assert one is not None
    assert two is not None
    assert training_hash(one, 0) == training_hash(two, 0)
    assert f"{job_name(one, training_hash(one, 0))}-x2" == job_name(two, training_hash(two, 0))


def test_a_default_that_is_written_out_trains_nothing_anew() -> None:
    bare, _ = resources(SCHEDULED)
    written, _ = resources(SCHEDULED.replace("  training:\n", "  unit: {kind: Window}\n  training:\n    epochs: 3\n"))
    other, _ = resources(SCHEDULED.replace("  training:\n", "  training:\n    epochs: 4\n"))
    assert bare is not None
    assert written is not None
    assert other is not None
    assert training_hash(bare, 0) == training_hash(written, 0) != training_hash(other, 0)


def test_a_revision_in_the_spec_goes_before_a_rollback() -> None:
    model, _ = resources("apiVersion: logwarden.dev/v1alpha1\nkind: AnomalyModel\nmetadata: {name: m}\n"
                         "spec: {promotion: {revision: aaaaaaaaaaaa}}\n")  # fmt: skip
    assert "aaaaaaaaaaaa" in pod_documents(model, [], "n", "b" * 12)
    assert "b" * 12 not in pod_documents(model, [], "n", "b" * 12)


def test_the_endpoint_needs_no_right_to_bind_its_port() -> None:
    children = children_of(FULL.replace("http: {enabled: true", "http: {enabled: true, port: 443"))
    container = find(children, "Deployment", "campus-ingest")["spec"]["template"]["spec"]["containers"][0]
    assert container["ports"][0]["containerPort"] == 8080
    assert "--port 8080" in " ".join(container["command"])
    assert find(children, "Service", "campus-ingest")["spec"]["ports"][0]["port"] == 443
    policy = find(children, "NetworkPolicy", "campus-ingest")["spec"]["ingress"][0]["ports"]
    assert {"port": 8080, "protocol": "TCP"} in policy


@pytest.mark.parametrize(
    ("given", "wanted"),
    [("1000m", "1"), ("0.5", "500m"), ("1024Mi", "1Gi"), ("1000", "1k"), ("1.5Gi", "1536Mi"), ("1e3", "1e3"),
     ("512Mi", "512Mi"), ("0", "0"), ("2", "2"), ("100Ki", "100Ki")],
)  # fmt: skip
def test_quantities_look_as_the_api_server_gives_them_back(given: str, wanted: str) -> None:
    assert canonical(given) == wanted


def test_what_does_not_change_the_model_trains_no_new_one() -> None:
    def job(text: str) -> str:
        return next(str(child["metadata"]["name"]) for child in children_of(text) if child["kind"] == "Job")

    assert job(SCHEDULED) == job(SCHEDULED.replace("memory: 16Gi", "memory: 32Gi").replace("0 3", "0 4"))
    assert job(SCHEDULED) != job(SCHEDULED.replace("2026/10", "2026/11"))


def test_revisions_outlive_the_resource() -> None:
    claim = find(children_of(SCHEDULED), "PersistentVolumeClaim", "wan")
    assert "ownerReferences" not in claim["metadata"]


def test_names_stay_within_the_limits_of_kubernetes() -> None:
    """The last pod of a Job of 64 is called after it, and a CronJob adds 11 characters to the name of its Jobs."""
    long = "a" * 40
    many = children_of(SHARED.replace("core", long).replace("nodes: 2", "nodes: 64\n    batchSize: 64"))
    for child in many:
        if child["kind"] in ("Job", "CronJob"):
            added = 11 if child["kind"] == "CronJob" else 0
            assert len(child["metadata"]["name"]) + added + len("-63") <= 63
    for child in children_of(FULL.replace("campus", long), available=ALL_CRDS) + children_of(
        SCHEDULED.replace("wan", long)
    ):
        limit = {"CronJob": 52, "KafkaTopic": 253}.get(child["kind"], 63)
        assert len(child["metadata"]["name"]) <= limit
