"""The Makefile lists what it can do, and refuses a Python that is too old."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TARGETS = ["help", "install", "up", "test", "test-unit", "check", "verify", "lab", "builtin-model", "bench", "clean"]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def make(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = ["make", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("arguments", [(), ("help",)])
def test_make_alone_lists_every_target_with_what_it_does(arguments: tuple[str, ...]) -> None:
    listed = dict(re.findall(r"^  make ([a-z0-9-]+) +(\S.*)$", make(*arguments).stdout, re.MULTILINE))
    assert set(TARGETS) <= set(listed)


def test_every_target_without_a_file_is_listed_or_a_stamp() -> None:
    phony = set(re.findall(r"^\.PHONY: (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE))
    listed = set(re.findall(r"^  make ([a-z0-9-]+) ", make().stdout, re.MULTILINE))
    assert phony - listed == {"moved"}


@pytest.fixture
def bare_checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "a folder with spaces"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "scripts", folder / "scripts")
    return folder


def python(folder: Path, body: str) -> Path:
    """A program that answers the Makefile's questions as another Python would."""
    program = folder / "other-python"
    program.write_text(f'#!/bin/sh\ncase "$*" in\n{body}\nesac\n')
    program.chmod(0o755)
    return program


def test_install_names_a_python_that_is_too_old(bare_checkout: Path) -> None:
    old = python(bare_checkout, "*'(3, 11)'*) exit 1 ;;\n*platform*) echo 'Python 3.9.2' ;;")
    done = make("install", f"PYTHON={old}", folder=bare_checkout)
    assert done.returncode != 0
    assert "needs Python 3.11 or newer" in done.stderr
    assert "is Python 3.9.2" in done.stderr
    assert not (bare_checkout / ".venv").exists()


def test_install_says_what_to_do_where_there_is_no_python(bare_checkout: Path) -> None:
    done = make("install", "PYTHON=no-such-python", folder=bare_checkout)
    assert done.returncode != 0
    assert "there is no no-such-python here" in done.stderr
    assert "apt-get install python3 python3-venv" in done.stderr


def test_install_names_the_package_that_has_venv(bare_checkout: Path) -> None:
    bare = python(bare_checkout, "*ensurepip*) exit 1 ;;\n*version_info\\[1\\]*) echo python3.12-venv ;;\n*) exit 0 ;;")
    done = make("install", f"PYTHON={bare}", folder=bare_checkout)
    assert done.returncode != 0
    assert "apt-get install python3.12-venv" in done.stderr
