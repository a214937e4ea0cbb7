"""The whole story in a real cluster of kind: from the chart to an anomaly on the page, broken pods, and the end.

The steps build on each other and run in this order; ``make e2e`` runs them alone.
"""

from __future__ import annotations

import io
import re
import shutil
import tarfile
from pathlib import Path

import pytest

from tests.e2e.conftest import OUTPUT
from tests.e2e.documents import CLAIM, MODEL, PIPELINE
from tests.e2e.world import DEAD_LETTERS, TOPIC, World, eventually

pytestmark = [pytest.mark.kind, pytest.mark.timeout(1800)]

ROOT = Path(__file__).resolve().parents[2]
# Few, so that a training takes a minute or two, and of every part.
RECORDINGS = ("train-1", "validation-21", "test-12")
LINES = 2000
"""Lines that are sent over TCP at a time."""
VICTIMS = {"detector": "default", "ingest": "default", "operator": "logwarden", "collector": "default"}
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_OURS = ("logwarden.dev/owner-kind", "app.kubernetes.io/part-of=logwarden,!logwarden.dev/owner-kind")


def test_data_for_the_training_comes_into_a_claim(world: World) -> None:
    cluster = world.cluster
    cluster.kubectl("apply", "--filename", "-", given=CLAIM)
    cluster.kubectl("wait", "--for=condition=Ready", "pod/history-loader", "--timeout=180s")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in RECORDINGS:
            archive.add(ROOT / "lab" / "recordings" / name, f"recordings/{name}")
    unpack = ("tar", "--extract", "--no-same-owner", "--directory", "/history")
    cluster.kubectl("exec", "--stdin", "history-loader", "--", *unpack, given=buffer.getvalue())
    cluster.kubectl("delete", "pod", "history-loader", "--grace-period=0", "--force")


def test_two_documents_become_a_running_pipeline(world: World) -> None:
    world.cluster.kubectl("apply", "--filename", "-", given=f"{MODEL}---{PIPELINE}")
    world.timeline.start()
    world.timeline.mark("applied")
    eventually(lambda: world.count()[TOPIC]["partitions"] == 2, "the topic is in Kafka", 300)
    world.timeline.mark("topic ready")
    eventually(lambda: world.holds("lpipe", "CollectorReady"), "CollectorReady", 300)
    world.timeline.mark("collector ready")
    eventually(lambda: world.holds("lpipe", "Ready"), "the LogPipeline is Ready", 300)
    world.timeline.mark("pipeline ready, with the packaged model")


def test_lab_traffic_becomes_anomalies_in_the_database(world: World) -> None:
    world.cluster.script("demo.sh", "lab/recordings/test-11", SPEED="20")
    world.timeline.mark("lab traffic begins")
    eventually(lambda: int(world.cluster.sql("SELECT count(*) FROM anomalies")), "an anomaly is stored", 400)
    world.timeline.mark("first anomaly stored")


def test_the_dashboard_shows_it_through_its_service(world: World) -> None:
    from playwright.sync_api import expect, sync_playwright

    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert path, f"no browser on PATH ({', '.join(BROWSERS)})"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(120_000)
        page.goto(f"http://127.0.0.1:{world.cluster.port(30851)}/anomalies")
        page.get_by_role("list", name="Anomalies, newest first").locator("button.row").first.click()
        details = page.get_by_role("region", name="Selected anomaly")
        expect(details.locator(".lines li.odd .text").first).to_have_text(re.compile(r".{10,}"), timeout=120_000)
        world.timeline.mark("on the page")
        finding = details.get_by_role("region", name="Explanation").locator(".finding")
        expect(finding).to_have_text(re.compile(r"\w+: .{20,}"), timeout=120_000)
        OUTPUT.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=OUTPUT / "anomaly.png")
        browser.close()


def test_the_training_job_makes_a_revision_that_detectors_take_over(world: World) -> None:
    eventually(lambda: world.holds("amodel", "Trained"), "the model is trained", 900)
    world.timeline.mark("trained")
    eventually(lambda: world.holds("amodel", "Ready") and world.holds("amodel", "Serving"), "Ready and Serving", 120)
    status = world.cluster.get("amodel", "campus")["status"]
    assert re.fullmatch("[0-9a-f]{12}", status["activeRevision"]), status
    before = set(world.ready("detector"))
    eventually(lambda: _serves(world, status["activeRevision"]), "detectors serve it", 240)
    world.timeline.mark("serving")
    assert set(world.ready("detector")) == before


def _serves(world: World, revision: str) -> bool:
    """Whether a detector says that it serves a revision."""
    logs = world.cluster.kubectl("logs", "--selector=app.kubernetes.io/name=logwarden-detector", "--tail=-1")
    return revision in logs


def test_no_line_is_lost_while_pods_are_killed(world: World) -> None:
    eventually(lambda: len(world.ready("ingest")) == 2, "both HTTP endpoints are ready")
    stream = world.sending("http", 150.0)
    received = 0
    for victim, namespace in VICTIMS.items():
        received += _send_and_wait(world, LINES)
        killed = world.kill(victim, namespace)
        world.timeline.mark(f"killed, and another one ready: {killed}")
    retries = stream.finish()
    world.timeline.mark(f"{sum(world.sent.values())} numbered lines sent, {retries} requests tried again")
    assert received == world.sent["tcp"], "the collector's own count"
    _account(world)


def _send_and_wait(world: World, lines: int) -> int:
    """Send lines to the collector, wait until it has counted as many, and return its count."""
    before = _received(world)
    world.send("tcp", lines, 1000.0)
    eventually(lambda: _received(world) - before >= lines, f"the collector has counted {lines} lines")
    return _received(world) - before


def _received(world: World) -> int:
    return int(world.cluster.metric("collector", "logwarden_collector_received_total", listener="tcp"))


def _account(world: World) -> None:
    """Check that every line sent is in Kafka, and that every line in Kafka is scored or a dead letter."""
    eventually(lambda: _numbers(world) == world.sent, "all lines are in Kafka", 200)
    kafka = eventually(lambda: _balance(world), "as many lines are scored or dead as Kafka holds", 300)
    stored, dead = world.stored(), world.count()[DEAD_LETTERS]
    broken = {way: -(-sent // 1000) for way, sent in world.sent.items()}
    assert {way: dead[way] for way in broken} == broken
    assert stored.get("lost", 0) == 0
    world.timeline.mark(f"accounted: {world.sent} sent; {kafka} in Kafka; {stored} stored; {dead} dead letters")


def _numbers(world: World) -> dict[str, int]:
    """Return how many different numbers of each way are in Kafka."""
    found = world.count()[TOPIC]
    return {way: found[way] for way in world.sent}


def _balance(world: World) -> dict[str, int] | None:
    """Return what Kafka holds once the database has counted all of it; collectors of nodes never rest."""
    before = world.count()[TOPIC]
    counted = sum(world.stored().values())
    after = world.count()[TOPIC]
    return after if before["messages"] <= counted <= after["messages"] else None


def test_lines_wait_while_kafka_is_away(world: World) -> None:
    kafka = ("--namespace", "logwarden-demo", "scale", "statefulset/kafka")
    world.cluster.kubectl(*kafka, "--replicas=0")
    eventually(lambda: not _kafka_pods(world), "Kafka is gone")
    stream = world.sending("http", 100.0)
    assert _send_and_wait(world, LINES) == LINES
    world.cluster.kubectl(*kafka, "--replicas=1")
    world.timeline.mark("Kafka was away")
    assert stream.finish() > 0, "HTTP answers with success while Kafka is away"
    _account(world)


def test_the_node_may_restart_its_container_runtime(world: World) -> None:
    before = _running(world)
    world.cluster.on_node("systemctl", "restart", "containerd")
    world.timeline.mark("containerd restarted")
    _send_and_wait(world, LINES)
    _account(world)
    assert _running(world) == before


def test_an_upgrade_of_the_chart_interrupts_nothing(world: World) -> None:
    before = _running(world)
    stream = world.sending("http", 100.0)
    upgrade = ("upgrade", "logwarden", "charts/logwarden", "--namespace", "logwarden", "--reuse-values")
    world.cluster.helm(*upgrade, "--set", "operator.logLevel=debug", "--wait", "--timeout", "180s")
    world.timeline.mark("chart upgraded")
    assert stream.finish() == 0, "requests that were tried again"
    _account(world)
    assert _running(world) == before


def _running(world: World) -> list[tuple[str, int]]:
    """Return the names of the pipeline's pods, and how often their containers were started again."""
    pods = [pod for component in ("collector", "detector", "ingest") for pod in world.cluster.pods(component)]
    counts = {pod["metadata"]["name"]: pod["status"]["containerStatuses"] for pod in pods}
    return sorted((name, sum(one["restartCount"] for one in containers)) for name, containers in counts.items())


def _kafka_pods(world: World) -> list[str]:
    where = ("get", "pods", "--namespace", "logwarden-demo", "--selector", "app=kafka", "--output", "name")
    return world.cluster.kubectl(*where).split()


def test_deleting_both_leaves_nothing(world: World) -> None:
    cluster = world.cluster
    cluster.kubectl("delete", "lpipe,amodel", "campus", "--timeout=120s")
    eventually(lambda: _children(world) == ["persistentvolumeclaim/campus"], "only the revisions' claim is left", 180)
    world.timeline.mark("both deleted")
    cluster.kubectl("delete", "pvc", "campus")


def test_uninstalling_leaves_the_definitions_only(world: World) -> None:
    world.cluster.helm("uninstall", "logwarden", "--namespace", "logwarden", "--wait", "--timeout", "180s")
    eventually(lambda: not _left(world), "nothing is left", 60)
    kept = world.cluster.kubectl("get", "crd", "--output", "name").split()
    assert {one for one in kept if one.endswith(".logwarden.dev")} == {
        "customresourcedefinition.apiextensions.k8s.io/anomalymodels.logwarden.dev",
        "customresourcedefinition.apiextensions.k8s.io/logpipelines.logwarden.dev",
    }
    world.timeline.mark("chart uninstalled")


def _children(world: World) -> list[str]:
    """Return what is left of both resources' children."""
    return [one for one in _left(world) if "campus" in one]


def _left(world: World) -> list[str]:
    """Return all objects of all kinds that the operator or the chart made, but for Events and the definitions."""
    kinds = world.cluster.kubectl("api-resources", "--verbs=list", "--output=name").split()
    kinds = [kind for kind in kinds if not kind.startswith(("events", "customresourcedefinitions"))]
    where = ("get", ",".join(kinds), "--all-namespaces", "--output", "name")
    return sorted(one for label in _OURS for one in world.cluster.kubectl(*where, "--selector", label).split())
