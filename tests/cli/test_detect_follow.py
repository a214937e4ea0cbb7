"""``logwarden detect --follow`` as a process: it prints as lines come, survives rotation, and loses nothing."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path

import pytest

from logwarden.store import Store, StoreError
from tests.local.conftest import raw_lines

SECONDS = 120.0
QUIET = [line for _, line in raw_lines(minutes=3)]
ODD = [line for _, line in raw_lines(minutes=10)][len(QUIET) :]


class Following:
    """A running ``logwarden detect --follow`` and what it has printed."""

    def __init__(self, *options: str) -> None:
        command = [sys.executable, "-m", "logwarden", "detect", "--follow", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self._output: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self._output.extend(iter(self.process.stdout.readline, ""))

    @property
    def text(self) -> str:
        return "".join(self._output)

    def wait_for(self, pattern: str) -> re.Match[str]:
        until = time.monotonic() + SECONDS
        while not (found := re.search(pattern, self.text, re.MULTILINE)):
            assert time.monotonic() < until, self.text
            assert self.process.poll() is None, self.text
            time.sleep(0.02)
        return found

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        code = self.process.wait(SECONDS)
        self._reader.join(SECONDS)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


Follow = Callable[..., Following]


@pytest.fixture
def follow() -> Iterator[Follow]:
    """Start the command; it is killed after the test."""
    running: list[Following] = []

    def start(*options: object) -> Following:
        running.append(Following(*map(str, options)))
        return running[-1]

    yield start
    for one in running:
        if one.process.poll() is None:
            one.stop(signal.SIGKILL)


def append(path: Path, lines: list[str]) -> None:
    with path.open("a") as file:
        file.writelines(f"{line}\n" for line in lines)


def stored(store: Path) -> tuple[int, list[dict[str, object]]]:
    """Return the number of lines and the records, without what tells the real time."""
    with Store.open(store, read_only=True) as opened:
        records = [record.to_json() for record in opened.anomalies(limit=10_000)]
        for record in records:
            record.pop("detected")
        return opened.totals().lines, sorted(records, key=lambda record: str(record["id"]))


def stored_lines(store: Path) -> int:
    try:
        return stored(store)[0]
    except StoreError:  # not yet made
        return 0


def wait_until_stored(store: Path, lines: int) -> None:
    until = time.monotonic() + SECONDS
    while stored_lines(store) < lines:
        assert time.monotonic() < until, f"{stored_lines(store)} of {lines} lines are stored"
        time.sleep(0.1)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "network.log"
    append(path, QUIET)
    return path


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_anomalies_are_printed_as_they_come_and_a_signal_ends_it_with_the_summary(
    follow: Follow, log: Path, tmp_path: Path, number: int
) -> None:
    summary = tmp_path / "summary.json"
    one = follow(log, "--summary", summary)
    one.wait_for("^Following .*network.log. Stop with Ctrl-C")
    append(log, ODD)
    # A line of what was added: 1,101 were there.
    one.wait_for(rf"(WARNING|CRITICAL|INFO) +(srv1|r1|r2) +score .*{log}:(1[2-9]|[23]\d)\d\d$")
    assert one.stop(number) == 0, one.text
    counts = json.loads(summary.read_text())
    assert counts["lines"] == len(QUIET) + len(ODD)
    assert counts["anomalies"] == len(re.findall(r"score \d", one.text)) > 0
    assert f"{counts['lines']:,} lines, " in one.text.splitlines()[-1]
    assert "Traceback" not in one.text


def test_an_anomaly_does_not_wait_for_the_next_line(follow: Follow, log: Path) -> None:
    one = follow(log)
    one.wait_for("^Following")
    crash = next(line for line in ODD if "segfault" in line)
    append(log, [crash.replace("bgpd", "ospfd")] * 3)
    # When the window of 30 seconds has passed by the clock.
    one.wait_for(rf" r2 +score .*{log}:{len(QUIET) + 1}$")
    assert one.stop() == 0


def test_records_are_added_to_the_output_at_once(follow: Follow, log: Path, tmp_path: Path) -> None:
    output = tmp_path / "anomalies.ndjson"
    output.write_text('{"from": "an earlier run"}\n')
    one = follow(log, "--output", output)
    append(log, ODD)
    one.wait_for("score")
    first, *records = [json.loads(line) for line in output.read_text().splitlines()]
    assert first == {"from": "an earlier run"}
    assert records[0]["origin"]["stream"] == f"file:{log}"
    assert one.stop() == 0


def test_rotation_and_truncation_lose_no_line(follow: Follow, log: Path, tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    third = len(ODD) // 3
    one = follow(log, "--store", store)
    one.wait_for("^Following")
    append(log, ODD[:third])
    log.rename(tmp_path / "network.log.1")
    append(log, ODD[third : 2 * third])
    wait_until_stored(store, len(QUIET) + 2 * third)
    os.truncate(log, 0)
    time.sleep(1.0)  # a copytruncate within a moment of the next line cannot be told from a shorter file
    append(log, ODD[2 * third :])
    wait_until_stored(store, len(QUIET) + len(ODD))
    assert one.stop() == 0
    lines, records = stored(store)
    assert lines == len(QUIET) + len(ODD)
    assert {str(record["origin"]["stream"]).removeprefix(f"file:{log}") for record in records} >= {"", "#2"}  # type: ignore[index]


def minutes(lines: list[str]) -> list[list[str]]:
    """Cut lines where a minute ends: windows end there too, so that real time has no say in what they hold."""
    return [list(group) for _, group in groupby(lines, lambda line: re.findall(r"\d\d:\d\d", line)[0])]


def test_killed_ten_times_it_ends_with_the_records_of_an_undisturbed_run(
    follow: Follow, log: Path, tmp_path: Path
) -> None:
    calm = follow(log, "--store", tmp_path / "calm.db")
    append(log, ODD)
    everything = len(QUIET) + len(ODD)
    wait_until_stored(tmp_path / "calm.db", everything)
    assert calm.stop() == 0

    store, chance = tmp_path / "killed.db", random.Random(5)
    log.write_text("")
    by_minute = minutes([*QUIET, *ODD])
    assert len(by_minute) >= 10
    for number, part in enumerate(by_minute):
        one = follow(log, "--store", store)
        if number % 2:
            one.wait_for("^Following")
        append(log, part)
        time.sleep(chance.uniform(0.0, 2.0))
        one.stop(signal.SIGKILL)
    last = follow(log, "--store", store)
    wait_until_stored(store, everything)
    assert last.stop() == 0
    lines, records = stored(store)
    assert lines == everything
    assert records
    assert records == stored(tmp_path / "calm.db")[1]


def test_a_rotation_between_two_runs_loses_no_line(follow: Follow, log: Path, tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    one = follow(log, "--store", store)
    wait_until_stored(store, len(QUIET))
    one.stop(signal.SIGKILL)
    append(log, ODD[:100])
    log.rename(tmp_path / "network.log.1")
    append(log, ODD[100:])
    again = follow(log, "--store", store)
    wait_until_stored(store, len(QUIET) + len(ODD))
    assert again.stop() == 0
    assert stored(store)[0] == len(QUIET) + len(ODD)


@pytest.mark.parametrize(
    ("name", "words"), [("-", "only plain files can be followed"), ("packed.gz", "it is compressed")]
)
def test_what_cannot_be_followed_is_named(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "packed.gz").write_bytes(b"\x1f\x8b\x08\x00")
    command = [sys.executable, "-m", "logwarden", "detect", "--follow", name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if "error" in line]
    assert f"cannot follow {name}: " in line
    assert words in line
    assert "Traceback" not in done.stderr
