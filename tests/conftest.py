"""Fixtures shared by all tests, and the suites: which tests can run here, and what was left out and why.

A suite is the set of tests with one of the markers below; all others are the unit suite. Where a suite's programs are
missing its tests are skipped, and a table at the end says so. With CI=true such a run fails.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.services.kafka import Broker
    from tests.services.s3 import Storage

# Tests start hundreds of processes. Where the environment forbids byte code, each would compile all that it imports.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

ROOT = Path(__file__).resolve().parent.parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of public data sets that is not part of the project; tests that need it skip where it is absent."""
    path = Path(os.environ.get("LOGWARDEN_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not path.is_dir():
        pytest.skip(f"public data sets not found at {path} (set LOGWARDEN_SHARED_DATA)")
    return path


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A running Kafka for tests that do not stop it; each test makes topics of its own."""
    from tests.services.kafka import Broker

    broker = Broker(tmp_path_factory.mktemp("kafka"))
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(scope="session")
def _storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    from tests.services.s3 import Storage

    storage = Storage(tmp_path_factory.mktemp("s3"))
    storage.start()
    storage.files().mkdir("logs")
    yield storage
    storage.stop()


@pytest.fixture
def storage(_storage: Storage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    """A running server of S3 with a bucket ``logs``, and the environment by which clients find it."""
    import s3fs

    for name, value in _storage.environment.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    yield _storage
    s3fs.S3FileSystem.clear_instance_cache()


def _lab_lacks() -> str | None:
    from lab.instance import obstacles

    if lack := obstacles():
        return " ".join(lack.split())
    path = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    namespaces = subprocess.run(["unshare", "--net", "--mount", "true"], env=path, capture_output=True, check=False)
    return None if namespaces.returncode == 0 else "the system refuses network namespaces"


def _browser_lacks() -> str | None:
    if not any(map(shutil.which, BROWSERS)):
        return f"not found: {' or '.join(BROWSERS)}"
    return _modules_lack("playwright")


def _train_lacks() -> str | None:
    return _modules_lack("torch", "transformers", "peft")


def _kafka_lacks() -> str | None:
    if lack := _modules_lack("confluent_kafka"):
        return lack
    from tests.services import kafka

    return kafka.obstacle()


def _syslog_lacks() -> str | None:
    from tests.services import syslog_ng

    return syslog_ng.obstacle() or _kafka_lacks()


def _postgres_lacks() -> str | None:
    from tests.services import postgres

    return _modules_lack("psycopg") or postgres.obstacle()


def _s3_lacks() -> str | None:
    from tests.services import s3

    return _modules_lack("s3fs") or s3.obstacle()


def _cluster_lacks() -> str | None:
    if lack := _modules_lack("kopf"):
        return lack
    from tests.services import apiserver

    return apiserver.obstacle()


def _kind_lacks() -> str | None:
    from tests.services import kind

    return kind.obstacle() or _browser_lacks()


def _modules_lack(*names: str) -> str | None:
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    return f"Python packages not installed: {', '.join(missing)}" if missing else None


SUITES: dict[str, Callable[[], str | None]] = {
    "lab": _lab_lacks,
    "browser": _browser_lacks,
    "train": _train_lacks,
    "kafka": _kafka_lacks,
    "syslog": _syslog_lacks,
    "postgres": _postgres_lacks,
    "s3": _s3_lacks,
    "cluster": _cluster_lacks,
    "kind": _kind_lacks,
}

OF_THEIR_OWN = {"kind": "make e2e"}
"""Suites that a whole run leaves to a command of their own: they build images and want a machine for themselves."""

# By suite the name of the process that runs its tests; without a name it is that of the test's file.
_TOGETHER = {
    "lab": "lab",
    "kafka": "",
    "syslog": "",
    "postgres": "postgres",
    "cluster": "cluster",
    "kind": "kind",
    "browser": "",
    "train": "",
    "s3": "s3",
}


@cache
def _lack(suite: str) -> str | None:
    """What keeps a suite from running here, in words, or None."""
    return SUITES[suite]() if suite in SUITES else None


def _suites_of(item: pytest.Item) -> list[str]:
    return [name for name in SUITES if item.get_closest_marker(name)] or ["unit"]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every test its suite, and keep together in one process what should not run side by side.

    The lab's tests share the machine's namespaces, others a database or an API server. Those of a browser, of training
    or with Kafka share, file by file, what takes long to make. A broker starts in seconds: each process has its own.
    """
    for item in items:
        suites = _suites_of(item)
        item.user_properties.append(("suite", suites[0]))
        if together := [_TOGETHER[suite] for suite in suites if suite in _TOGETHER]:
            item.add_marker(pytest.mark.xdist_group(together[0] or item.path.name))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose suite cannot run here."""
    for suite in _suites_of(item):
        if lack := _lack(suite):
            pytest.skip(f"suite {suite} left out: {lack}")


class SuiteTable:
    """Counts outcomes by suite, prints them, and fails a CI run that left something out."""

    def __init__(self, config: pytest.Config) -> None:
        self.outcomes: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.shared_data_skips = 0
        self.in_ci = os.environ.get("CI", "").lower() not in ("", "0", "false")
        self.whole = _is_whole_run(config)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a test once: at its call, or earlier where it did not get there."""
        if report.when == "call" or (report.when == "setup" and not report.passed):
            suite = str(dict(report.user_properties).get("suite", "unit"))
            self.outcomes[suite][report.outcome] += 1
            self.shared_data_skips += report.skipped and "public data sets" in str(report.longrepr)

    def left_out(self) -> list[str]:
        """Suites of which no test ran: those met in a narrowed run, all of them in a whole one."""
        expected = ["unit", *(name for name in SUITES if name not in OF_THEIR_OWN)] if self.whole else self.outcomes
        return [name for name in expected if not (self.outcomes[name]["passed"] or self.outcomes[name]["failed"])]

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail a CI run that left a suite out; note for .ci/run whether tests that failed are all that is wrong."""
        failed = session.exitstatus == pytest.ExitCode.TESTS_FAILED
        cache = getattr(session.config, "cache", None)  # not with -p no:cacheprovider
        if cache is not None:
            cache.set("logwarden/nothing_but_failures", failed and self.whole and not self.left_out())
        if self.in_ci and self.left_out() and session.exitstatus == 0:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the table."""
        left_out = self.left_out()
        terminalreporter.section("suites")
        for name in dict.fromkeys([*self.outcomes, *left_out]):
            counts = self.outcomes[name]
            state = f"left out: {_lack(name) or 'none of its tests ran'}" if name in left_out else "ran"
            numbers = ", ".join(f"{counts[kind]} {kind}" for kind in ("passed", "failed", "skipped") if counts[kind])
            terminalreporter.write_line(f"{name:<8} {numbers or 'no tests':<36} {state}")
        if self.whole:
            for name, command in OF_THEIR_OWN.items():
                terminalreporter.write_line(f"{name:<8} {'not part of this run':<36} {command}")
        if self.shared_data_skips:
            terminalreporter.write_line(f"{self.shared_data_skips} tests need public data sets that are not here")
        if self.in_ci and left_out:
            terminalreporter.write_line(f"CI: failed, because suites were left out: {', '.join(left_out)}", red=True)


def _is_whole_run(config: pytest.Config) -> bool:
    narrowed = config.option.markexpr or config.option.keyword or getattr(config.option, "lf", False)
    return not narrowed and config.args_source is pytest.Config.ArgsSource.TESTPATHS


def pytest_configure(config: pytest.Config) -> None:
    """Print the table once: in the process that reports, not in the workers of pytest-xdist."""
    if not hasattr(config, "workerinput") and not config.option.collectonly:
        config.pluginmanager.register(SuiteTable(config), "suite-table")
