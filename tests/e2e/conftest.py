"""The cluster of the story, and its timeline."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.world import Timeline, World
from tests.services.kind import NAME, KindCluster

OUTPUT = Path(__file__).resolve().parents[1] / "output" / "e2e"
_failed: list[str] = []
_timelines: list[Timeline] = []


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A cluster that is made for this session and deleted after it.

    One that is there already is used as it is, and left there, only where LOGWARDEN_E2E_CLUSTER names it.
    """
    named = os.environ.get("LOGWARDEN_E2E_CLUSTER")
    cluster = KindCluster(tmp_path_factory.mktemp("e2e"), named or NAME)
    world = World(cluster)
    _timelines.append(world.timeline)
    if named and cluster.exists():
        cluster.adopt()
    elif cluster.exists():
        pytest.fail(f"a cluster {NAME} is there already, not made by this run: kind delete cluster --name {NAME}")
    try:
        if not named or not cluster.exists():
            cluster.up(world.timeline.mark)
        world.timeline.mark("cluster, Kafka, PostgreSQL and the chart are there")
        world.start_sender()
        yield world
    finally:
        OUTPUT.mkdir(parents=True, exist_ok=True)
        (OUTPUT / "timeline.txt").write_text(f"{world.timeline}\n")
        if not named:
            cluster.down()


@pytest.fixture(autouse=True)
def step(request: pytest.FixtureRequest) -> None:
    """Leave a step of the story out when one before it failed."""
    if _failed:
        pytest.skip(f"an earlier step failed: {_failed[0]}")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Remember the step that failed, and keep what the cluster says about it."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if not report.failed or item.path.parent != Path(__file__).parent:
        return
    _failed.append(item.name)
    world = getattr(item, "funcargs", {}).get("world")
    if isinstance(world, World):
        report.sections.append(("cluster", describe(world)))


def describe(world: World) -> str:
    """Return what a person would look at first."""
    parts = []
    for arguments in (
        ("get", "amodel,lpipe,pods,jobs,pvc", "--all-namespaces"),
        ("describe", "amodel,lpipe"),
        ("get", "events", "--all-namespaces", "--sort-by=.lastTimestamp"),
        ("--namespace", "logwarden", "logs", "deployment/logwarden-operator", "--tail=40"),
        ("logs", "--selector=app.kubernetes.io/part-of=logwarden", "--all-containers", "--prefix", "--tail=15"),
    ):
        try:
            parts.append(world.cluster.kubectl(*arguments)[-8000:])
        except AssertionError as error:
            parts.append(str(error))
    return "\n\n".join(parts)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the timeline, which is kept in a file, too."""
    for timeline in _timelines:
        terminalreporter.write_sep("-", "timeline, in seconds since the two documents were applied")
        terminalreporter.write_line(str(timeline))
