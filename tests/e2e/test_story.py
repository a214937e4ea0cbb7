"""The whole story in a real cluster of kind: from the chart to an anomaly on the page, broken pods, and the end.

The steps build on each other and run in this order; ``make e2e`` runs them alone.
"""

from __future__ import annotations

import io
import re
import shutil
import tarfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.e2e.conftest import OUTPUT
from tests.e2e.documents import CLAIM, MODEL, PIPELINE, TRAINING
from tests.e2e.world import DEAD_LETTERS, TOPIC, Stream, World, eventually, uid
from tests.services.kind import DEMO, IMAGES

pytestmark = [pytest.mark.kind, pytest.mark.timeout(1800)]

TRAINED = "trainer" in IMAGES
trained = pytest.mark.skipif(not TRAINED, reason="IMAGES names no trainer")

ROOT = Path(__file__).resolve().parents[2]
# Few, so that a training takes a minute or two, and of every part.
RECORDINGS = ("train-1", "validation-21", "test-12")
LINES = 2000
"""Lines that are sent over TCP at a time, where few are enough."""
FLOOD = 100_000
"""Numbered lines that are sent while things are killed, half of them each way."""
RATE = 400.0
"""Lines a second each way: so many that the whole flood takes about as long as the killing."""
PARTITIONS = {"0", "1"}
VICTIMS = {"detector": "default", "ingest": "default", "operator": "logwarden", "postgres": DEMO}
AWAY_SECONDS = 60.0
NEXT = "99.0.0"
"""Version of the release that follows the one that is tested."""
LATE = 10.0
"""Seconds within which every line is stored in an upgrade: about as long as a detector takes to start."""
FAILURES = '[data-testid="stException"], [data-testid="stAlertContentError"]'
PATIENCE = 120_000
"""Milliseconds that a page may take to show something."""
COMPONENTS = ("collector", "detector", "ingest")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_OURS = ("logwarden.dev/owner-kind", "app.kubernetes.io/part-of=logwarden,!logwarden.dev/owner-kind")


@trained
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
    world.cluster.kubectl("apply", "--filename", "-", given=f"{MODEL}{TRAINING if TRAINED else ''}---{PIPELINE}")
    world.timeline.start()
    world.timeline.mark("applied")
    eventually(lambda: world.count()[TOPIC].keys() >= PARTITIONS, "the topic is in Kafka", 300)
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


@pytest.fixture
def page(world: World) -> Iterator[Page]:
    """A page of a real browser, with the dashboard's Service as the address that others begin from."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert path, f"no browser on PATH ({', '.join(BROWSERS)})"
    OUTPUT.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        address = f"http://127.0.0.1:{world.cluster.port(30851)}"
        page = browser.new_page(viewport={"width": 1280, "height": 900}, base_url=address)
        page.set_default_timeout(PATIENCE)
        yield page
        browser.close()


def test_the_dashboard_shows_it_through_its_service(world: World, page: Page) -> None:
    page.goto("/anomalies")
    page.get_by_role("list", name="Anomalies, newest first").locator("button.row").first.click()
    details = page.get_by_role("region", name="Selected anomaly")
    expect(details.locator(".lines li.odd .text").first).to_have_text(re.compile(r".{10,}"), timeout=PATIENCE)
    world.timeline.mark("on the page")
    finding = details.get_by_role("region", name="Explanation").locator(".finding")
    expect(finding).to_have_text(re.compile(r"\w+: .{20,}"), timeout=PATIENCE)
    page.screenshot(path=OUTPUT / "anomaly.png")
    expect(page.locator(FAILURES)).to_have_count(0)


def test_the_overview_shows_what_came_and_where_it_went(world: World, page: Page) -> None:
    _look_at_overview(world, page, "overview")


def _look_at_overview(world: World, page: Page, name: str) -> None:
    """Wait until the first page shows all its parts, with numbers; keep a picture, and find no failure on it."""
    page.set_viewport_size({"width": 1280, "height": 1600})
    page.goto("/")
    numbers = page.locator(".st-key-numbers").get_by_test_id("stMetricValue")
    expect(numbers).to_have_text([re.compile(r"^[1-9][\d,]*$")] * 3 + [re.compile(r"^[\d,]+$")], timeout=PATIENCE)
    for chart in ("Lines per", "Anomalies per"):
        drawn = page.locator(f'[data-testid="stVegaLiteChart"][aria-label^="{chart}"] svg').first
        expect(drawn).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("Where every line went")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text(f"{TOPIC}/0").first).to_be_attached(timeout=PATIENCE)
    page.screenshot(path=OUTPUT / f"{name}.png")
    expect(page.locator(FAILURES)).to_have_count(0)
    world.timeline.mark(f"overview: {' / '.join(numbers.all_inner_texts())} lines, anomalies, cases, rejected")


def test_no_line_of_a_flood_is_lost_while_everything_is_killed_once(world: World) -> None:
    # The lab's traffic comes to the same listener as the numbered lines, and would be counted with them.
    world.cluster.kubectl("--namespace", DEMO, "wait", "--for=condition=Complete", "job/traffic", "--timeout=170s")
    eventually(lambda: len(world.ready("ingest")) == 2, "both HTTP endpoints are ready")
    before = world.sent["tcp"]
    http, tcp = world.sending("http", RATE, FLOOD // 2), world.sending("tcp", RATE)
    for victim, namespace in VICTIMS.items():
        world.timeline.mark(f"killed, and another one ready: {world.kill(victim, namespace)}")
    # Plain syslog has no receipt: what is on the wire when a collector dies is lost. What it has counted is not.
    tcp.finish()
    world.timeline.mark(f"killed, and another one ready: {world.kill('collector')}")
    tcp = world.sending("tcp", RATE, FLOOD // 2 - (world.sent["tcp"] - before))
    _take_kafka_away(world, (http, tcp))
    tcp.finish()
    again = http.finish()
    world.timeline.mark(f"{world.sent} numbered lines sent; requests sent again: {dict(again)}")
    assert again, "HTTP answers with success while Kafka is away"
    _account(world)
    eventually(lambda: world.holds("lpipe", "FlowHealthy"), "the operator's own account is balanced", 180)


def _take_kafka_away(world: World, streams: Iterable[Stream]) -> None:
    scale = ("--namespace", DEMO, "scale", "statefulset/kafka")
    world.cluster.kubectl(*scale, "--replicas=0")
    eventually(lambda: not world.cluster.pods("kafka", DEMO), "Kafka is gone")
    world.timeline.mark("Kafka is away")
    time.sleep(AWAY_SECONDS)
    for stream in streams:
        stream.check()
    world.cluster.kubectl(*scale, "--replicas=1")
    eventually(lambda: world.ready("kafka", DEMO), "Kafka is back")
    world.timeline.mark("Kafka is back")


def _account(world: World) -> None:
    """Check that every line sent is in Kafka, and that every line in Kafka is scored or a dead letter."""
    eventually(lambda: _numbers(world.count()[TOPIC]) == world.sent, "all lines are in Kafka", 300)
    wanted = world.count()[TOPIC]["messages"]
    eventually(lambda: sum(world.judged().lines.values()) >= wanted, "as many lines are judged as Kafka holds", 300)
    # Collectors of nodes never rest: what was judged until a moment is compared with what Kafka holds up to there.
    judged = world.judged()
    kafka = world.count(judged.position)
    raw, dead = kafka[TOPIC], kafka[DEAD_LETTERS]
    world.timeline.mark(f"accounted: {world.sent} sent; {raw} in Kafka; {judged}; {dead} dead letters")
    assert judged.lines == {partition: raw[partition] for partition in PARTITIONS}
    assert judged.rejected == {partition: dead[partition] for partition in judged.rejected}
    assert sum(judged.rejected.values()) == dead["messages"]
    assert sum(judged.lost.values()) == 0
    assert _numbers(dead) == {way: -(-sent // 1000) for way, sent in world.sent.items()}


def _numbers(found: dict[str, int]) -> dict[str, int]:
    """Return how many different numbers there are of each way."""
    return {way: found[way] for way in ("tcp", "http")}


@trained
def test_the_training_job_makes_a_revision_that_detectors_take_over(world: World) -> None:
    eventually(lambda: world.holds("amodel", "Trained"), "the model is trained", 900)
    world.timeline.mark("trained")
    eventually(lambda: world.holds("amodel", "Ready") and world.holds("amodel", "Serving"), "Ready and Serving", 120)
    status = world.cluster.get("amodel", "campus")["status"]
    assert re.fullmatch("[0-9a-f]{12}", status["activeRevision"]), status
    before = [uid(pod) for pod in world.ready("detector")]
    eventually(lambda: _serves(world, status["activeRevision"]), "detectors serve it", 240)
    world.timeline.mark("serving")
    assert [uid(pod) for pod in world.ready("detector")] == before


def _serves(world: World, revision: str) -> bool:
    """Whether a detector says that it serves a revision."""
    logs = world.cluster.kubectl("logs", "--selector=app.kubernetes.io/name=logwarden-detector", "--tail=-1")
    return revision in logs


def test_the_node_may_restart_its_container_runtime(world: World) -> None:
    before = _running(world)
    world.cluster.on_node("systemctl", "restart", "containerd")
    world.timeline.mark("containerd restarted")
    world.send("tcp", LINES, 1000.0)
    _account(world)
    assert _running(world) == before


def test_an_upgrade_to_the_next_release_interrupts_nothing(world: World) -> None:
    chart = world.cluster.package(NEXT)
    before = _running(world)
    stream = world.sending("http", RATE)
    upgrade = ("upgrade", "logwarden", str(chart), "--namespace", "logwarden", "--reset-then-reuse-values")
    world.cluster.helm(*upgrade, "--set", f"images.tag={NEXT}", "--wait", "--timeout", "180s")
    world.timeline.mark("chart upgraded")
    eventually(lambda: _images(world) == {NEXT}, "all pods are of the next release, and ready", 300)
    eventually(lambda: world.holds("lpipe", "Ready"), "the LogPipeline is Ready", 120)
    again = stream.finish()
    world.timeline.mark(f"pods replaced; requests sent again: {dict(again)}")
    assert not again
    _account(world)
    late = {seconds: world.late(seconds) for seconds in (1.0, 5.0, LATE)}
    world.timeline.mark(f"lines that were stored later than so many seconds: {late}")
    assert late[LATE] == 0
    assert not {name for name, _ in before} & {name for name, _ in _running(world)}


def _images(world: World) -> set[str]:
    """Return the tags of the images of all pods of the pipeline; nothing while one of them is not ready."""
    pods = [pod for component in COMPONENTS for pod in world.cluster.pods(component)]
    ready = [pod for component in COMPONENTS for pod in world.ready(component)]
    if len(ready) < len(pods):
        return set()
    return {one["image"].rpartition(":")[2] for pod in pods for one in pod["spec"]["containers"]}


def _running(world: World) -> list[tuple[str, int]]:
    """Return the names of the pipeline's pods, and how often their containers were started again."""
    pods = [pod for component in COMPONENTS for pod in world.cluster.pods(component)]
    counts = {pod["metadata"]["name"]: pod["status"]["containerStatuses"] for pod in pods}
    return sorted((name, sum(one["restartCount"] for one in containers)) for name, containers in counts.items())


def test_deleting_both_leaves_nothing(world: World) -> None:
    cluster = world.cluster
    cluster.kubectl("delete", "lpipe,amodel", "campus", "--timeout=120s")
    claims = ["persistentvolumeclaim/campus"] if TRAINED else []
    eventually(lambda: _children(world) == claims, "only the claim with revisions is left", 180)
    world.timeline.mark("both deleted")
    cluster.kubectl("delete", "pvc", "campus", "--ignore-not-found")


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
