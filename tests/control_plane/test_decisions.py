"""What the operator concludes from what it reads: pure functions of plain values."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from logwarden.api.training_result import TrainingResult
from logwarden_operator.cluster import ClusterError
from logwarden_operator.conditions import changed, false, merged, ready, true
from logwarden_operator.health import failure, pod_cause, workload_condition
from logwarden_operator.ownership import Child, Key, Owner
from logwarden_operator.revisions import Pointer, PointerDamagedError, read_pointer
from logwarden_operator.sync import differs, may_go
from logwarden_operator.trainings import evaluation_condition
from logwarden_operator.usage import Usage
from logwarden_operator.workqueue import WorkQueue
from tests.control_plane.builders import resources
from tests.control_plane.documents import TRAINED

OWNER = Owner("AnomalyModel", "netops", "campus", "uid")
KEY = Key("LogPipeline", "netops", "campus")


def result(revision: str, *, f1: float | None = 0.9, active: bool = True) -> TrainingResult:
    return TrainingResult(revision=revision * 12, f1=f1, active=active, refusal=None if active else "too low")


class TestWhatIsLeftAlone:
    @pytest.mark.parametrize(
        ("existing", "declared", "wanted"),
        [
            ({"a": 1}, {"a": 1}, False),
            ({"a": 1, "added": 2}, {"a": 1}, False),
            ({"a": 2}, {"a": 1}, True),
            ({}, {"a": 1}, True),
            ({"a": [{"b": 1, "default": 2}]}, {"a": [{"b": 1}]}, False),
            ({"a": [{"b": 1}, {"b": 2}]}, {"a": [{"b": 1}]}, True),
            ({}, {"a": {}}, False),
            ({}, {"a": []}, False),
        ],
    )
    def test_only_what_is_declared_counts(self, existing: Child, declared: Child, wanted: bool) -> None:
        assert differs(existing, declared) is wanted


class TestThePointer:
    def test_it_is_read_back_as_it_was_written(self) -> None:
        pointer = Pointer().after(result("a"), "job-1", "hash").model_copy(update={"requests": 3, "request": "x"})
        assert read_pointer(pointer.child(OWNER)) == pointer

    @pytest.mark.parametrize("data", [{"history": "no json"}, {"requests": '"many"'}])
    def test_a_damaged_one_is_not_taken_for_an_empty_one(self, data: dict[str, str]) -> None:
        with pytest.raises(PointerDamagedError, match="ConfigMap campus-revision"):
            read_pointer({"metadata": {"name": "campus-revision"}, "data": data})

    def test_a_refused_revision_leaves_the_active_one(self) -> None:
        pointer = Pointer().after(result("a"), "job-1", "h1").after(result("b", active=False), "job-2", "h2")
        assert (pointer.active, pointer.latest, pointer.refusal) == ("a" * 12, "b" * 12, "too low")

    def test_a_rollback_goes_one_back_and_ends_with_the_next_active_revision(self) -> None:
        pointer = Pointer().after(result("a", f1=0.8), "job-1", "h1").after(result("b"), "job-2", "h2")
        back = pointer.rolled_back("previous")
        assert back is not None
        assert (back.active, back.pinned) == ("a" * 12, "a" * 12)
        assert back.rolled_back("previous") is None
        assert back.after(result("c"), "job-3", "h3").pinned is None

    def test_a_rollback_can_name_its_revision(self) -> None:
        pointer = Pointer()
        for letter in "abc":
            pointer = pointer.after(result(letter), f"job-{letter}", letter)
        back = pointer.rolled_back("a" * 12)
        assert back is not None
        assert back.pinned == "a" * 12
        assert pointer.rolled_back("d" * 12) is None

    def test_a_job_made_again_under_its_name_is_another_training(self) -> None:
        pointer = Pointer().after(result("a"), "job-1", "h1", "uid-1")
        assert pointer.knows("uid-1")
        assert not pointer.knows("uid-2")

    def test_a_revision_chosen_by_hand_needs_no_gate(self) -> None:
        model, _ = resources(TRAINED.partition("---")[2])
        assert model is not None
        pointer = Pointer().after(result("a"), "job-1", "h1").after(result("b", active=False), "job-2", "h2")
        assert evaluation_condition(model, pointer).reason == "GateRefused"
        chosen = pointer.rolled_back("b" * 12)
        assert chosen is not None
        assert evaluation_condition(model, chosen).reason == "ChosenByHand"


class TestWhatMayGo:
    @pytest.mark.parametrize(
        ("kind", "wanted"), [("Service", True), ("KafkaTopic", False), ("PersistentVolumeClaim", False)]
    )
    def test_data_outlives_an_edit(self, kind: str, wanted: bool) -> None:
        assert may_go({"kind": kind, "metadata": {}}, OWNER) is wanted


class TestConditions:
    def test_the_time_of_a_condition_is_that_of_its_status(self) -> None:
        before = merged([true("A", "Good", "x")], [], 1)
        before[0]["lastTransitionTime"] = "2020-01-01T00:00:00Z"
        same = merged([true("A", "Better", "y")], before, 2)[0]
        assert (same["lastTransitionTime"], same["observedGeneration"]) == ("2020-01-01T00:00:00Z", 2)
        assert merged([false("A", "Bad", "z")], before, 2)[0]["lastTransitionTime"] != "2020-01-01T00:00:00Z"

    def test_ready_tells_the_first_cause(self) -> None:
        overall = ready([true("A", "Good", ""), false("B", "Bad", "because")], "all well")
        assert (overall.status, overall.reason, overall.message) == ("False", "Bad", "B: because")

    def test_news_is_another_status_or_reason(self) -> None:
        before = merged([true("A", "Good", "x"), true("B", "Good", "x")], [], 1)
        assert changed([true("A", "Good", "other words"), false("B", "Bad", "x")], before) == [false("B", "Bad", "x")]


def deployment(**status: Any) -> Child:
    return {"kind": "Deployment", "metadata": {"name": "d", "generation": 2}, "spec": {"replicas": 2}, "status": status}


def counted(replicas: int, *, ready: int, updated: int) -> Child:
    return {"observedGeneration": 2, "replicas": replicas, "readyReplicas": ready, "updatedReplicas": updated}


class TestHealth:
    @pytest.mark.parametrize(
        ("status", "wanted"),
        [
            ({"observedGeneration": 1, "readyReplicas": 2, "updatedReplicas": 2}, ("Unknown", "Progressing")),
            (counted(2, ready=2, updated=1), ("False", "Progressing")),
            # The new pod crashes: all that are ready are of before.
            (counted(3, ready=2, updated=1), ("False", "Progressing")),
            (counted(3, ready=2, updated=2), ("False", "Progressing")),
            (counted(2, ready=2, updated=2), ("True", "Available")),
            (
                {"observedGeneration": 2,
                 "conditions": [{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}]},
                ("False", "PodsRefused"),
            ),
        ],
    )  # fmt: skip
    def test_old_pods_and_old_statuses_do_not_count(self, status: Child, wanted: tuple[str, str]) -> None:
        found = workload_condition("DetectorReady", deployment(**status), [])
        assert (found.status, found.reason) == wanted

    def test_a_daemon_set_without_nodes_is_not_ready(self) -> None:
        workload = {"kind": "DaemonSet", "metadata": {"name": "c", "generation": 1}, "spec": {}}
        found = workload_condition("CollectorReady", {**workload, "status": {"observedGeneration": 1}}, [])
        assert (found.status, found.reason) == ("False", "NoNodes")

    def test_a_pod_that_only_starts_is_no_cause(self) -> None:
        waiting = {"name": "x", "state": {"waiting": {"reason": "ContainerCreating"}}}
        assert pod_cause({"metadata": {"name": "p"}, "status": {"containerStatuses": [waiting]}}) is None

    def test_the_last_words_of_a_training_are_kept_in_one_line(self) -> None:
        ended = {"exitCode": 2, "reason": "Error", "message": "spec.base:\n  wrong"}
        container = {"name": "training", "state": {"terminated": ended}}
        pod = {"metadata": {"name": "p"}, "status": {"phase": "Failed", "containerStatuses": [container]}}
        cause = failure([pod])
        assert cause is not None
        assert cause.message == "pod p: exit code 2: spec.base: wrong"

    def test_a_mistake_goes_before_what_it_did_to_other_pods(self) -> None:
        pods = []
        for second, (code, message) in enumerate([(2, "spec.base: wrong"), (1, "Connection closed by peer")]):
            ended = {"exitCode": code, "reason": "Error", "message": message}
            container = {"name": "training", "state": {"terminated": ended}}
            metadata = {"name": f"p-{second}", "creationTimestamp": f"2026-11-28T12:00:0{second}Z"}
            pods.append({"metadata": metadata, "status": {"phase": "Failed", "containerStatuses": [container]}})
        cause = failure(pods)
        assert cause is not None
        assert cause.message == "pod p-0: exit code 2: spec.base: wrong"


class TestUsage:
    def pipeline(self, model: str, detector: str = "True") -> Child:
        conditions = [{"type": "DetectorReady", "status": detector}]
        return {
            "metadata": {"namespace": "n", "name": "p"},
            "spec": {"detect": {"modelRef": {"name": model}}},
            "status": {"conditions": conditions},
        }

    def test_models_learn_of_detectors_that_come_change_and_go(self) -> None:
        usage = Usage()
        assert usage.see(self.pipeline("a")) == {("n", "a")}
        assert usage.see(self.pipeline("a")) == set()
        assert usage.of("n", "a") == {"p": "True"}
        assert usage.see(self.pipeline("b", "False")) == {("n", "a"), ("n", "b")}
        assert usage.of("n", "a") == {}
        ready = {"type": "TopicReady", "status": "True"}
        assert usage.see({**self.pipeline("b", "False"), "status": {"conditions": [ready]}}) == {("n", "b")}
        assert usage.see(self.pipeline("b"), gone=True) == {("n", "b")}
        assert usage.of("n", "b") == {}


class TestTheQueue:
    def run(self, work: Any, *keys: Key, seconds: float = 0.05) -> None:
        async def steps() -> None:
            queue = WorkQueue(work, workers=4)
            queue.start()
            for key in keys:
                await queue.request(key)
            await asyncio.sleep(seconds)
            await queue.stop()

        asyncio.run(steps())

    def test_what_is_asked_for_often_is_done_once(self) -> None:
        seen: list[Key] = []

        async def work(key: Key) -> None:
            seen.append(key)

        self.run(work, KEY, KEY, KEY, KEY._replace(name="other"))
        assert sorted(seen) == [KEY, KEY._replace(name="other")]

    def test_one_resource_is_never_worked_on_twice_at_a_time_and_no_request_is_lost(self) -> None:
        running, most, done = 0, 0, 0

        async def steps() -> None:
            nonlocal most, done

            async def work(key: Key) -> None:
                nonlocal running, most, done
                running += 1
                most = max(most, running)
                started.set()
                await go_on.wait()
                running -= 1
                done += 1

            started, go_on = asyncio.Event(), asyncio.Event()
            queue = WorkQueue(work, workers=4)
            queue.start()
            await queue.request(KEY)
            await started.wait()
            await queue.request(KEY)
            go_on.set()
            while done < 2:
                await asyncio.sleep(0.01)
            await queue.stop()

        asyncio.run(asyncio.wait_for(steps(), 30))
        assert (most, done) == (1, 2)

    @pytest.mark.parametrize(
        "error", [ClusterError(409, "Conflict", "changed"), ClusterError(500, "", "x"), KeyError("a")]
    )
    def test_a_failure_comes_again_and_stops_nobody_else(self, error: Exception) -> None:
        seen: list[str] = []

        async def steps() -> None:
            async def work(key: Key) -> None:
                seen.append(key.name)
                if key == KEY and seen.count(KEY.name) == 1:
                    raise error

            queue = WorkQueue(work, workers=1)
            queue.start()
            await queue.request(KEY)
            await queue.request(KEY._replace(name="other"))
            while seen.count(KEY.name) < 2:
                await asyncio.sleep(0.01)
            await queue.stop()

        asyncio.run(asyncio.wait_for(steps(), 30))
        assert "other" in seen
