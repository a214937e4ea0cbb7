"""What cannot be processed: kept with its origin and the reason, shown, and sent once more."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import confluent_kafka
import pytest

from logwarden.cli import root
from logwarden.kafka.deadletters import read_dead_letters
from logwarden.kafka.producer import Producer
from logwarden.sources.base import KEPT_OF_REJECTED
from logwarden.store import Store
from tests.services.kafka import Broker

from .conftest import SECONDS, Start, lines_in, read_all, settings_for, wait_until, write_pipeline

pytestmark = pytest.mark.kafka


class Result(NamedTuple):
    """What a command line gave."""

    code: int
    stdout: str
    stderr: str


Run = Callable[..., Result]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line in this process."""

    def start(*args: str | Path) -> Result:
        capsys.readouterr()
        code = root.run([str(arg) for arg in args])
        return Result(code, *capsys.readouterr())

    return start


def test_dead_letters_are_listed_shown_and_replayed(broker: Broker, detector: Start, run: Run, tmp_path: Path) -> None:
    file = write_pipeline(tmp_path, broker, "dead")
    running = detector(file, tmp_path / "dead.db")
    wait_until(lambda: running.said("reading on at offset"))
    broken = b"<13>" + b"x" * 70_000
    with Producer(settings_for(broker, "dead")) as producer:
        producer.append("udp", [b"<13>h app: good", broken], "10.0.0.1")
        producer.append("tcp", [b"\xff\x1b[31m half"], "10.0.0.2", reason="the connection was [closed]")
        producer.durable().result(SECONDS)
    wait_until(lambda: lines_in(tmp_path / "dead.db") == 3)
    with Store.open(tmp_path / "dead.db", read_only=True) as store:
        rejected = {f"{row.stream}/{row.position}": row.reason for row in store.rejected()}

    listed = run("deadletters", "list", "-f", file, "--format", "ndjson")
    letters = {one["id"]: one for one in map(json.loads, listed.stdout.splitlines())}
    assert {name: one["error"] for name, one in letters.items()} == rejected
    assert sorted(rejected.values()) == ["longer than 65536 characters (65537)", "the connection was [closed]"]
    half = next(one for one in letters.values() if one["key"] == "10.0.0.2")
    assert half["text"] == "\\xff\x1b[31m half"
    assert half["topic"] == "dead"
    table = run("deadletters", "list", "-f", file).stdout
    assert "the connection was [closed]" in table
    assert "\x1b" not in table

    shown = json.loads(run("deadletters", "show", "-f", file, f"{half['partition']}/{half['offset']}").stdout)
    assert json.loads(shown["value"])["reason"] == "the connection was [closed]"
    missing = run("deadletters", "show", "-f", file, "dead/0/99")
    assert (missing.code, missing.stderr.count("\n")) == (2, 1)
    assert "there is no dead letter dead/0/99" in missing.stderr

    assert run("deadletters", "replay", "-f", file, half["id"]).stdout == "1 message sent to dead once more.\n"
    wait_until(lambda: lines_in(tmp_path / "dead.db") == 4)
    assert run("deadletters", "replay", "-f", file, "--all").stdout == "3 messages sent to dead once more.\n"
    wait_until(lambda: lines_in(tmp_path / "dead.db") == 7)
    running.stop()
    again = run("deadletters", "replay", "-f", file, "--all").stdout
    assert again == "3 messages sent to dead once more.\n", "those that failed again, and no others"
    sent = read_all(broker, "dead", 10)
    assert len({message.value() for message in sent}) == 3, "a replay changes nothing"
    assert run("deadletters", "replay", "-f", file).code == 2


def test_no_topic_is_one_clear_error(broker: Broker, run: Run, tmp_path: Path) -> None:
    result = run("deadletters", "list", "-f", write_pipeline(tmp_path, broker, "nothing"))
    assert (result.code, result.stderr.count("\n")) == (1, 1)
    assert f"topic nothing.dlq at {broker.bootstrap_servers}: Unknown topic or partition" in result.stderr


def test_a_message_that_is_too_large_with_its_headers_becomes_a_dead_letter_in_part(
    broker: Broker, detector: Start, run: Run, tmp_path: Path
) -> None:
    file = write_pipeline(tmp_path, broker, "large")
    running = detector(file, tmp_path / "large.db")
    wait_until(lambda: running.said("reading on at offset"))
    config = {**settings_for(broker, "large").client(), "message.max.bytes": 10_000_000}
    client = confluent_kafka.Producer(config)
    value = random.Random(1).randbytes(1_048_500)  # a broker takes 1,048,588 with all around it
    failures: list[object] = []
    client.produce("large", value, b"10.0.0.1", on_delivery=lambda error, _: failures.append(error))
    client.flush(SECONDS)
    assert failures == [None]
    wait_until(lambda: lines_in(tmp_path / "large.db") == 1)
    running.stop()
    (letter,) = read_dead_letters(settings_for(broker, "large"))
    assert letter.value == value[:KEPT_OF_REJECTED]
    assert letter.key == b"10.0.0.1"
