"""What holds for every command: help, errors, exit codes, streams."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from logwarden import __version__
from logwarden.cli.root import COMMANDS, _describe, _State

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "COLUMNS": "100"}


@pytest.fixture
def run(environment: dict[str, str]) -> Run:
    """Run the command line in a process of its own with an empty home folder."""

    def start(*args: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "logwarden", *args]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)

    return start


def test_help_lists_all_commands_and_shows_examples(run: Run) -> None:
    result = run("--help")
    assert (result.returncode, result.stderr) == (0, "")
    for name in COMMANDS:
        assert f"\n  {name} " in result.stdout
    assert "Examples:\n  logwarden up -f examples/quickstart.yaml\n" in result.stdout


def test_help_is_shown_in_under_half_a_second_of_processor_time(environment: dict[str, str]) -> None:
    """Processor time, because other tests may keep the machine busy; the best of three, as files get cached."""
    command = [sys.executable, "-m", "logwarden", "--help"]
    seconds = []
    for _ in range(3):
        before = os.times()
        subprocess.run(command, env=environment, capture_output=True, check=True)
        after = os.times()
        seconds.append(after.children_user + after.children_system - before.children_user - before.children_system)
    assert min(seconds) < 0.5


def test_help_imports_no_heavy_library(environment: dict[str, str]) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "logwarden", "--help"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in result.stderr.splitlines()}
    assert "typer" in imported
    assert not imported & {"numpy", "pydantic", "yaml", "rich", "sqlalchemy", "streamlit", "torch", "onnxruntime"}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_with_examples(run: Run, name: str) -> None:
    result = run(name, "--help")
    assert (result.returncode, result.stderr) == (0, "")
    assert f"Usage: logwarden {name}" in result.stdout
    assert f"\n  logwarden {name}" in result.stdout.partition("Examples:")[2]


def test_the_version(run: Run) -> None:
    assert run("--version").stdout == f"logwarden {__version__}\n"


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["detct"], 2, "No such command 'detct'. Did you mean 'detect'? (see 'logwarden --help')"),
        (["--nope"], 2, "No such option: --nope (see 'logwarden --help')"),
        (["crds", "--nope"], 2, "No such option: --nope (see 'logwarden crds --help')"),
        (["crds", "extra"], 2, "Got unexpected extra argument(s) (extra) (see 'logwarden crds --help')"),
        (["crds", "--debug"], 2, "No such option: --debug (it goes before the command: logwarden --debug crds ...)"),
        (["models", "show"], 2, "Missing argument 'ref' (see 'logwarden models show --help')"),
        (
            ["models", "promote", "x"],
            2,
            "no model revision in {data}/models yet: run 'logwarden train'",
        ),
        (
            ["--log-format", "xml", "crds"],
            2,
            "Invalid value for '--log-format': 'xml' is not one of 'text', 'json' (see 'logwarden --help')",
        ),
    ],
)
def test_a_mistake_gives_one_line_and_exit_code_2(
    run: Run, tmp_path: Path, args: list[str], code: int, message: str
) -> None:
    result = run(*args)
    assert (result.returncode, result.stdout) == (code, "")
    assert result.stderr == f"logwarden: error: {message.replace('{data}', str(tmp_path / '.local/share/logwarden'))}\n"


def test_no_command_shows_the_help_and_is_wrong_usage(run: Run) -> None:
    result = run()
    assert result.returncode == 2
    assert "a command is missing" in result.stderr
    assert "Commands:" in result.stderr


def test_errors_are_json_where_logs_are(run: Run) -> None:
    result = run("--log-format", "json", "models", "rollback")
    assert result.returncode == 2
    error = json.loads(result.stderr)
    assert error["level"] == "error"
    assert error["message"].startswith("no model revision in")


def test_an_error_of_the_system_names_the_file() -> None:
    error = OSError(28, "No space left on device", "/var/x")
    assert _describe(error, _State()) == ("/var/x: No space left on device", 1)


def test_an_unexpected_error_is_one_line_and_a_traceback_only_on_request(environment: dict[str, str]) -> None:
    script = (
        "import sys; import logwarden.api.crd as crd\n"
        "def fail(): raise ZeroDivisionError('a bug')\n"
        "crd.crds_yaml = fail\n"
        "from logwarden.cli import main; main(sys.argv[1:])"
    )

    def run(*args: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", script, *args]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    quiet, loud = run("crds"), run("--debug", "crds")
    assert (quiet.returncode, loud.returncode) == (1, 1)
    expected = "logwarden: error: unexpected ZeroDivisionError: a bug"
    assert quiet.stderr == f"{expected} (run 'logwarden --debug COMMAND ...' for the traceback)\n"
    assert loud.stderr.startswith("Traceback")
    assert loud.stderr.endswith(f"{expected}\n")


def test_a_missing_library_names_the_extra_that_installs_it() -> None:
    error = ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn")
    command = f"{sys.executable} -m pip install -e '.[train]' -c constraints.txt"
    message = f"the Python package torch is missing: in the checkout, {command}"
    assert _describe(error, _State(extra=COMMANDS["train"].extra)) == (message, 1)


def test_a_reader_that_goes_away_ends_the_command_silently(environment: dict[str, str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "logwarden", "crds"]
    result = subprocess.run(command, env=environment, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (result.returncode, result.stderr) == (141, b"")


@pytest.mark.parametrize("ask", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_the_end_of_a_pod_end_with_130(
    environment: dict[str, str], tmp_path: Path, ask: signal.Signals
) -> None:
    """The command waits for a lock that the test holds, until the interrupt."""
    root = tmp_path / "models"
    root.mkdir()
    with (root / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        command = [sys.executable, "-m", "logwarden", "models", "rollback", "--root", str(root)]
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        _wait_until_asleep_in_flock(process.pid)
        process.send_signal(ask)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "logwarden: interrupted\n")


def _wait_until_asleep_in_flock(pid: int) -> None:
    """Wait until the process waits for a lock: then its line with ``->`` stands in the kernel's table."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if any("->" in line and f" {pid} " in line for line in Path("/proc/locks").read_text().splitlines()):
            return
        time.sleep(0.02)
    pytest.fail("the command never waited for the lock")


def test_results_go_to_standard_output_without_colours(run: Run) -> None:
    result = run("crds")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.count("kind: CustomResourceDefinition") == 2
    assert "\x1b" not in result.stdout
