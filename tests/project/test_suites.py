"""A test run says which suite was left out and why, and a CI run with one fails."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TESTS = """\
import pytest

def test_unit(): pass

@pytest.mark.browser
def test_page(): pass

def test_with_public_data(shared_data): pass
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "tests").mkdir()
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path / "tests")
    shutil.copytree(
        ROOT / "tests" / "services", tmp_path / "tests" / "services", ignore=shutil.ignore_patterns("test_*")
    )
    shutil.copytree(ROOT / "lab", tmp_path / "lab", ignore=shutil.ignore_patterns("recordings", "__pycache__"))
    (tmp_path / "tests" / "test_some.py").write_text(TESTS)
    return tmp_path


def run(project: Path, *arguments: str, path: str, ci: str) -> subprocess.CompletedProcess[str]:
    keep = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "COV_"))}
    environment = {**keep, "PATH": path, "CI": ci, "LOGWARDEN_SHARED_DATA": str(project / "no-data")}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def with_browser(tmp_path: Path) -> str:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "chromium").write_text("#!/bin/sh\n")
    (folder / "chromium").chmod(0o755)
    return str(folder)


def test_a_suite_without_its_program_is_left_out_with_the_reason(project: Path, tmp_path: Path) -> None:
    done = run(project, "-m", "browser", path=str(tmp_path), ci="")
    assert done.returncode == 0
    assert "left out: not found: chromium or" in done.stdout


def test_ci_fails_when_a_suite_was_left_out(project: Path, tmp_path: Path) -> None:
    done = run(project, "-m", "browser", path=str(tmp_path), ci="true")
    assert done.returncode == 1
    assert "CI: failed, because suites were left out: browser" in done.stdout


def test_ci_fails_when_a_whole_run_holds_no_test_of_a_suite(project: Path, with_browser: str) -> None:
    done = run(project, path=with_browser, ci="true")
    assert done.returncode == 1
    assert "suites were left out: lab, train, kafka, syslog, postgres, s3" in done.stdout


def test_a_narrowed_ci_run_passes_without_the_rest(project: Path, with_browser: str) -> None:
    done = run(project, "-m", "not lab and not train", path=with_browser, ci="true")
    assert done.returncode == 0
    assert "CI: failed" not in done.stdout


def test_missing_public_data_fails_nothing(project: Path, with_browser: str) -> None:
    done = run(project, "-m", "not lab and not train", path=with_browser, ci="true")
    assert done.returncode == 0
    assert "1 tests need public data sets that are not here" in done.stdout


def test_the_last_line_is_the_summary_of_pytest(project: Path, with_browser: str) -> None:
    done = run(project, "-n", "1", "-m", "not lab", path=with_browser, ci="true")
    assert done.stdout.splitlines()[-1].strip("= ").startswith("2 passed, 1 skipped in ")


def test_tests_of_a_group_run_in_one_process(project: Path, with_browser: str) -> None:
    """pytest-xdist knows a group by the end of a test's id, which a newer pytest may not let it change."""
    done = run(project, "-n", "1", "--dist", "loadgroup", "-v", "-m", "browser", path=with_browser, ci="")
    assert "test_some.py::test_page@test_some.py" in done.stdout
