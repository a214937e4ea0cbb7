"""What becomes of an AnomalyModel on a real API server. The tests stand in for the Job controller and the kubelet."""

from __future__ import annotations

import json

import pytest

from logwarden.api.training_result import TrainingResult
from tests.control_plane.builders import documents
from tests.control_plane.documents import MODEL, PIPELINE, TRAINED, apply, end_job, ended, make_pod, make_secret
from tests.control_plane.running import Object, Operator, condition, eventually
from tests.services.apiserver import ApiServer

pytestmark = pytest.mark.cluster

FIRST = TrainingResult(revision="aaaaaaaaaaaa", f1=0.912, active=True)
SECOND = TrainingResult(revision="bbbbbbbbbbbb", f1=0.934, active=True)
REFUSED = TrainingResult(revision="cccccccccccc", f1=0.5, active=False, refusal="its F1 of 0.5 is below minimumF1, 0.9")


def model(server: ApiServer, namespace: str) -> Object:
    return server.get("amodel", "campus", "-n", namespace)


def reason(server: ApiServer, namespace: str, type_: str) -> str:
    return str(condition(model(server, namespace), type_)["reason"])


def jobs(server: ApiServer, namespace: str) -> list[str]:
    return [str(one["metadata"]["name"]) for one in server.get("jobs", "-n", namespace)["items"]]


def training(server: ApiServer, operator: Operator, namespace: str, past: tuple[str, ...] = ()) -> str:
    """Return the name of the training Job that is not among the past ones."""
    return str(eventually(lambda: next(job for job in jobs(server, namespace) if job not in past), "a Job", operator))


def finish(server: ApiServer, namespace: str, job: str, result: TrainingResult) -> None:
    """Let a training end well."""
    template = server.get("job", job, "-n", namespace)["spec"]["template"]["metadata"]["labels"]
    labels = {**template, "batch.kubernetes.io/job-name": job}
    make_pod(server, namespace, labels, ended(0, result.to_text()), name=f"{job}-pod")
    end_job(server, namespace, job, well=True)


def test_a_model_without_data_serves_its_base(server: ApiServer, operator: Operator, namespace: str) -> None:
    apply(server, namespace, MODEL)
    eventually(lambda: condition(model(server, namespace), "Ready")["status"] == "True", "Ready", operator)
    assert model(server, namespace)["status"]["activeRevision"] == "builtin"
    assert jobs(server, namespace) == []


def test_a_training_leads_to_an_active_revision(server: ApiServer, operator: Operator, namespace: str) -> None:
    apply(server, namespace, TRAINED)
    job = training(server, operator, namespace)
    eventually(lambda: model(server, namespace)["status"]["phase"] == "Training", "Training", operator)
    assert model(server, namespace)["status"]["training"]["job"] == job
    finish(server, namespace, job, FIRST)
    eventually(lambda: model(server, namespace)["status"].get("activeRevision") == FIRST.revision, "active", operator)
    status = model(server, namespace)["status"]
    assert (status["phase"], status["f1"], status["latestRevision"]) == ("Ready", "0.912", FIRST.revision)
    assert "training" not in status
    assert condition(model(server, namespace), "Ready")["status"] == "True"
    assert "0.912" in server.kubectl("get", "amodel", "campus", "-n", namespace)
    pointer = server.get("cm", "campus-revision", "-n", namespace)["data"]
    assert (pointer["active"], json.loads(pointer["history"])[0]["job"]) == (FIRST.revision, job)


def test_the_same_settings_never_train_twice(server: ApiServer, operator: Operator, namespace: str) -> None:
    apply(server, namespace, TRAINED)
    job = training(server, operator, namespace)
    finish(server, namespace, job, FIRST)
    eventually(lambda: model(server, namespace)["status"]["phase"] == "Ready", "Ready", operator)
    server.kubectl("delete", "job", job, "-n", namespace)
    server.kubectl("label", "amodel", "campus", "-n", namespace, "example.com/touched=yes")
    eventually(lambda: operator.metric("logwarden_operator_queue_length") == 0, "nothing to do", operator)
    assert jobs(server, namespace) == []
    assert model(server, namespace)["status"]["phase"] == "Ready"


def test_other_data_train_again_and_the_old_revision_serves_meanwhile(
    server: ApiServer, operator: Operator, namespace: str
) -> None:
    apply(server, namespace, TRAINED)
    first = training(server, operator, namespace)
    finish(server, namespace, first, FIRST)
    eventually(lambda: model(server, namespace)["status"]["phase"] == "Ready", "Ready", operator)
    apply(server, namespace, TRAINED.replace("2026/10", "2026/11"))
    second = training(server, operator, namespace, past=(first,))
    eventually(lambda: reason(server, namespace, "Ready") == "Training", "not ready for these settings", operator)
    assert model(server, namespace)["status"]["activeRevision"] == FIRST.revision
    finish(server, namespace, second, SECOND)
    eventually(lambda: model(server, namespace)["status"]["activeRevision"] == SECOND.revision, "second", operator)
    assert jobs(server, namespace) == [second]


def test_the_gate_refuses_with_its_reason_and_the_old_revision_serves_on(
    server: ApiServer, operator: Operator, namespace: str
) -> None:
    apply(server, namespace, TRAINED)
    first = training(server, operator, namespace)
    finish(server, namespace, first, FIRST)
    eventually(lambda: model(server, namespace)["status"]["phase"] == "Ready", "Ready", operator)
    server.kubectl("annotate", "amodel", "campus", "-n", namespace, "logwarden.dev/retrain=now")
    second = training(server, operator, namespace, past=(first,))
    assert "logwarden.dev/retrain" not in model(server, namespace)["metadata"]["annotations"]
    finish(server, namespace, second, REFUSED)
    eventually(lambda: reason(server, namespace, "EvaluationPassed") == "GateRefused", "refused", operator)
    found = model(server, namespace)
    assert "below minimumF1" in condition(found, "EvaluationPassed")["message"]
    assert found["status"]["activeRevision"] == FIRST.revision
    assert found["status"]["latestRevision"] == REFUSED.revision
    assert condition(found, "Degraded")["status"] == "True"


def test_a_rollback_by_annotation_reaches_the_detectors(server: ApiServer, operator: Operator, namespace: str) -> None:
    from tests.control_plane.documents import PIPELINE

    make_secret(server, namespace)
    apply(server, namespace, TRAINED, PIPELINE)
    past: tuple[str, ...] = ()
    for result in (FIRST, SECOND):
        job = training(server, operator, namespace, past)
        finish(server, namespace, job, result)
        eventually(lambda: model(server, namespace)["status"]["activeRevision"] == result.revision, "it", operator)  # noqa: B023
        past = (*past, job)
        if result is FIRST:
            server.kubectl("annotate", "amodel", "campus", "-n", namespace, "logwarden.dev/retrain=now")
    server.kubectl("annotate", "amodel", "campus", "-n", namespace, "logwarden.dev/rollback=previous")
    eventually(lambda: model(server, namespace)["status"]["activeRevision"] == FIRST.revision, "the first", operator)
    eventually(
        lambda: FIRST.revision in server.get("cm", "campus-detector", "-n", namespace)["data"]["resources.yaml"],
        "the detectors' file names it",
        operator,
    )
    assert model(server, namespace)["status"]["f1"] == "0.912"


@pytest.mark.parametrize(
    ("code", "said", "why", "wanted", "words"),
    [
        (2, "spec.training.datasets[0]: pvc://history/2026/10: no such folder", "Error", "JobFailed", "no such folder"),
        (137, "", "OOMKilled", "OOMKilled", "resources.limits.memory"),
    ],
)
def test_a_failed_training_says_why(
    server: ApiServer, operator: Operator, namespace: str, code: int, said: str, why: str, wanted: str, words: str
) -> None:
    apply(server, namespace, TRAINED)
    job = training(server, operator, namespace)
    labels = server.get("job", job, "-n", namespace)["spec"]["template"]["metadata"]["labels"]
    make_pod(server, namespace, {**labels, "batch.kubernetes.io/job-name": job}, ended(code, said, why))
    end_job(server, namespace, job, well=False)
    eventually(lambda: reason(server, namespace, "Trained") == wanted, wanted, operator)
    found = model(server, namespace)
    assert words in condition(found, "Trained")["message"]
    assert words in found["status"]["lastFailure"]["message"]
    assert found["status"]["phase"] == "Failed"


def test_a_suspended_model_trains_only_when_asked(server: ApiServer, operator: Operator, namespace: str) -> None:
    apply(server, namespace, TRAINED.replace("training:", "training:\n    suspend: true"))
    eventually(lambda: reason(server, namespace, "Trained") == "Suspended", "Suspended", operator)
    assert jobs(server, namespace) == []
    server.kubectl("annotate", "amodel", "campus", "-n", namespace, "logwarden.dev/retrain=now")
    assert training(server, operator, namespace)


def test_a_schedule_becomes_a_cron_job_and_its_results_count(
    server: ApiServer, operator: Operator, namespace: str
) -> None:
    apply(server, namespace, TRAINED.replace("training:", 'training:\n    schedule: "0 3 * * 0"'))
    cron = eventually(lambda: server.get("cronjob", "campus-schedule", "-n", namespace), "a CronJob", operator)
    template = cron["spec"]["jobTemplate"]
    owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": cron["metadata"]["name"],
             "uid": cron["metadata"]["uid"], "controller": True}  # fmt: skip
    metadata = {"name": "campus-schedule-1", "namespace": namespace, "labels": template["metadata"]["labels"],
                "ownerReferences": [owner]}  # fmt: skip
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": template["spec"]}
    server.kubectl("create", "-f", "-", given=json.dumps(job))
    finish(server, namespace, "campus-schedule-1", SECOND)
    eventually(lambda: model(server, namespace)["status"].get("activeRevision") == SECOND.revision, "it", operator)
    assert "campus-schedule-1" in jobs(server, namespace)


def test_several_nodes_share_a_training_and_one_takes_over_when_the_spec_says_so(
    server: ApiServer, operator: Operator, namespace: str
) -> None:
    apply(server, namespace, TRAINED.replace("training:", 'training:\n    nodes: 2\n    schedule: "0 3 * * 0"'))
    shared = training(server, operator, namespace)
    spec = server.get("job", shared, "-n", namespace)["spec"]
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 2, 2)
    service = eventually(lambda: server.get("svc", "campus-training", "-n", namespace), "a Service", operator)
    assert (service["spec"]["clusterIP"], service["spec"]["publishNotReadyAddresses"]) == ("None", True)
    eventually(lambda: server.get("netpol", "campus-training", "-n", namespace), "a NetworkPolicy", operator)
    cron = eventually(lambda: server.get("cronjob", "campus-schedule", "-n", namespace), "a CronJob", operator)
    assert cron["spec"]["jobTemplate"]["spec"]["completionMode"] == "Indexed"

    apply(server, namespace, TRAINED)
    alone = training(server, operator, namespace, past=(shared,))
    eventually(lambda: jobs(server, namespace) == [alone], "the shared Job is gone", operator)
    assert server.get("job", alone, "-n", namespace)["spec"]["completionMode"] == "NonIndexed"
    for kind in ("svc", "netpol", "cronjob"):
        eventually(lambda: server.get(kind, "-n", namespace)["items"] == [], f"no {kind}", operator)  # noqa: B023
    finish(server, namespace, alone, FIRST)
    eventually(lambda: model(server, namespace)["status"]["phase"] == "Ready", "Ready", operator)
    apply(server, namespace, TRAINED.replace("training:", "training:\n    nodes: 2"))
    eventually(lambda: jobs(server, namespace) == [], "the Job of other nodes goes", operator)
    assert model(server, namespace)["status"]["phase"] == "Ready", "what was trained is not trained again"


def test_the_first_of_several_pods_tells_the_result(server: ApiServer, operator: Operator, namespace: str) -> None:
    apply(server, namespace, TRAINED.replace("training:", "training:\n    nodes: 2"))
    job = training(server, operator, namespace)
    template = server.get("job", job, "-n", namespace)["spec"]["template"]["metadata"]["labels"]
    labels = {**template, "batch.kubernetes.io/job-name": job}
    make_pod(server, namespace, labels, ended(0, FIRST.to_text()), name=f"{job}-0-aaaaa")
    make_pod(server, namespace, labels, ended(0, ""), name=f"{job}-1-bbbbb")
    end_job(server, namespace, job, well=True)
    eventually(lambda: model(server, namespace)["status"].get("activeRevision") == FIRST.revision, "active", operator)


def test_settings_that_come_back_are_trained_again(server: ApiServer, operator: Operator, namespace: str) -> None:
    results = (FIRST, SECOND, FIRST.model_copy(update={"revision": "dddddddddddd"}))
    past: tuple[str, ...] = ()
    for month, result in zip(("10", "11", "10"), results, strict=True):
        apply(server, namespace, TRAINED.replace("2026/10", f"2026/{month}"))
        job = training(server, operator, namespace, past)
        finish(server, namespace, job, result)
        eventually(lambda: model(server, namespace)["status"]["activeRevision"] == result.revision, "it", operator)  # noqa: B023
        assert model(server, namespace)["status"]["phase"] == "Ready"
        server.kubectl("delete", "pod", f"{job}-pod", "-n", namespace, "--force")
        past = (job,)


def test_an_annotation_is_heard_once_though_another_child_is_refused(
    server: ApiServer, operator: Operator, namespace: str
) -> None:
    refused = TRAINED.replace("training:", 'training:\n    schedule: "99 99 * * *"')
    apply(server, namespace, refused)
    eventually(lambda: reason(server, namespace, "Ready") == "Refused", "Refused", operator)
    server.kubectl("annotate", "amodel", "campus", "-n", namespace, "logwarden.dev/retrain=now")
    eventually(
        lambda: "logwarden.dev/retrain" not in model(server, namespace)["metadata"].get("annotations", {}),
        "an answer",
        operator,
    )
    assert server.get("cm", "campus-revision", "-n", namespace)["data"]["requests"] == "1"


def test_a_claim_that_is_not_there_is_named_before_anything_starts(
    server: ApiServer, operator: Operator, namespace: str
) -> None:
    apply(server, namespace, TRAINED.replace("pvc://history/2026/10", "pvc://nowhere/2026"))
    eventually(lambda: reason(server, namespace, "DataAvailable") == "ClaimMissing", "ClaimMissing", operator)
    assert "claim nowhere" in condition(model(server, namespace), "DataAvailable")["message"]
    assert jobs(server, namespace) == []


COLLECTED = MODEL + 'spec: {training: {schedule: "0 3 * * 0", datasets: [{topic: {last: 7d}}]}}\n'


def test_a_training_from_topics_waits_for_a_pipeline_that_uses_the_model(
    server: ApiServer, operator: Operator, namespace: str
) -> None:
    make_secret(server, namespace)
    apply(server, namespace, COLLECTED, PIPELINE.replace("modelRef: {name: campus}", "modelRef: {name: another}"))
    eventually(lambda: reason(server, namespace, "DataAvailable") == "NoPipeline", "NoPipeline", operator)
    message = condition(model(server, namespace), "DataAvailable")["message"]
    assert message == f"spec.training.datasets[0].topic: no LogPipeline of namespace {namespace} uses this model"
    assert jobs(server, namespace) == []
    assert server.get("cronjob", "campus-schedule", "-n", namespace)["spec"]["suspend"] is True

    apply(server, namespace, PIPELINE)
    job = training(server, operator, namespace)
    assert "LogPipeline campus" in condition(model(server, namespace), "DataAvailable")["message"]
    assert server.get("cronjob", "campus-schedule", "-n", namespace)["spec"]["suspend"] is False
    (container,) = server.get("job", job, "-n", namespace)["spec"]["template"]["spec"]["containers"]
    assert "--secrets" in container["command"]


def test_a_training_reads_the_kafka_that_its_pipelines_name_now(
    server: ApiServer, operator: Operator, namespace: str
) -> None:
    def servers() -> str:
        config = documents(server.get("cm", "campus-training", "-n", namespace))
        return str(config["LogPipeline"]["spec"]["kafka"]["bootstrapServers"])

    make_secret(server, namespace)
    apply(server, namespace, COLLECTED, PIPELINE)
    training(server, operator, namespace)
    assert servers() == "kafka.example:9092"
    apply(server, namespace, PIPELINE.replace("kafka.example:9092", "kafka.elsewhere:9092"))
    eventually(lambda: servers() == "kafka.elsewhere:9092", "the new address", operator)


@pytest.mark.parametrize(
    ("pipeline", "reason_", "words"),
    [
        (
            PIPELINE.replace('"kafka.example:9092"', '"k:9092", sasl: {credentialsSecretRef: {name: none}}'),
            "SecretMissing",
            "LogPipeline campus spec.kafka.sasl.credentialsSecretRef: Secret none does not exist",
        ),
        (
            PIPELINE.replace('  kafka: {bootstrapServers: "kafka.example:9092"}\n', ""),
            "PipelineInvalid",
            "LogPipeline campus: spec.kafka: is required in a cluster",
        ),
        (
            PIPELINE.replace('bootstrapServers: "kafka.example:9092"', "strimzi: {cluster: main}"),
            "TopicNotReady",
            "the topic of LogPipeline campus is not ready",
        ),
    ],
    ids=["secret", "spec", "topic"],
)
def test_what_a_pipeline_lacks_holds_a_training_from_its_topic(
    server: ApiServer, operator: Operator, namespace: str, pipeline: str, reason_: str, words: str
) -> None:
    make_secret(server, namespace)
    apply(server, namespace, COLLECTED, pipeline)
    eventually(lambda: reason(server, namespace, "DataAvailable") == reason_, reason_, operator)
    assert words in condition(model(server, namespace), "DataAvailable")["message"]
    assert jobs(server, namespace) == []
