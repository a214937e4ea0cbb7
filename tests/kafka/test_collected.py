"""Training on what pipelines have collected: the lines of their raw topics."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zlib import crc32

import pytest
from confluent_kafka import OFFSET_BEGINNING, TopicPartition
from confluent_kafka import Producer as ConfluentProducer

from logwarden.datasets import PARTS, Dataset, RawTopic, kept_until_done, load_collected, load_dataset
from logwarden.errors import InvalidInputError
from logwarden.events import Batch
from logwarden.kafka.envelope import encode
from logwarden.kafka.errors import KafkaUnusableError
from logwarden.kafka.reading import partitions_of, read_to_end, reader
from logwarden.privacy import Privacy
from logwarden.training.examples import detection_examples
from logwarden.training.pipeline import masked_lines, mine_templates
from logwarden.units import Intake, UnitConfig
from tests.services.kafka import Broker

from .conftest import SECONDS, Rows, network, produce, settings_for

pytestmark = pytest.mark.kafka

PARTITIONS = 3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "collected"


def topic(broker: Broker, name: str, privacy: Privacy | None = None) -> RawTopic:
    return RawTopic(settings_for(broker, name), privacy)


def write(broker: Broker, name: str, values: list[bytes], *, age: float = 0.0) -> None:
    """Write messages with a time in the past, as a collector did at that time."""
    producer = ConfluentProducer({"bootstrap.servers": broker.bootstrap_servers})
    for value in values:
        producer.produce(name, value, b"10.0.0.1", timestamp=int((time.time() - age) * 1000))
    assert producer.flush(SECONDS) == 0


def numbered(count: int, first: int = 0) -> list[bytes]:
    return [b"<13>r1 app[7]: line %d" % number for number in range(first, first + count)]


def batches(dataset: Dataset) -> list[Batch]:
    return [batch for part in PARTS for recording in dataset.part(part) for batch in recording.batches()]


def texts(dataset: Dataset) -> list[str]:
    return [line for batch in batches(dataset) for line in batch.lines]


def record(rows: Rows, folder: Path) -> None:
    """Write what each partition holds into a file of its own, with the same times and senders."""
    folder.mkdir()
    for at, line, peer in rows:
        with (folder / f"{crc32(peer.encode()) % PARTITIONS}.log").open("a") as file:
            file.write(f"{datetime.fromtimestamp(at, UTC).isoformat()}\t{peer}\tudp\t{line.decode()}\n")


def learned(dataset: Dataset) -> dict[str, object]:
    """Return what a training makes of a data set: units of each part, templates, and examples."""
    unit = UnitConfig()
    templates = mine_templates(unit, dataset.train)
    units = {
        part: [
            Intake(templates, unit, lambda host, gap: 0.0).units(recording.batches())
            for recording in dataset.part(part)
        ]
        for part in PARTS
    }
    train = [(one, True) for of_recording in units["train"] for one in of_recording]
    examples = detection_examples(train, masked_lines(unit, dataset.train), templates)
    seen = {
        part: sorted((one.host, one.times, one.texts, one.templates) for of_recording in found for one in of_recording)
        for part, found in units.items()
    }
    return {"templates": len(templates), "units": seen, "examples": Counter(examples)}


def test_a_topic_teaches_what_files_with_the_same_lines_do(broker: Broker, tmp_path: Path, folder: Path) -> None:
    rows = [(round(at, 6), line, peer) for at, line, peer in network(time.time() - 600, minutes=8, filler=2000)]
    broker.create_topic("learned", PARTITIONS)
    produce(broker, "learned", rows)
    record(rows, tmp_path / "files")
    said: list[str] = []
    found = load_collected([topic(broker, "learned")], "1h", folder, said.append)
    assert said == [f"{len(rows)} lines from topic {broker.bootstrap_servers}/learned"]
    assert learned(found) == learned(load_dataset(str(tmp_path / "files")))
    assert (found.format, found.uri) == ("topic", f"kafka://{broker.bootstrap_servers}/learned")
    assert {batch.stream for batch in batches(found)} == {f"learned/{number}" for number in range(PARTITIONS)}


def test_no_group_is_joined_and_nothing_is_committed(broker: Broker, folder: Path) -> None:
    broker.create_topic("beside", PARTITIONS)
    write(broker, "beside", numbered(200))
    settings = replace(settings_for(broker, "beside"), group="nobody-else's")
    load_collected([RawTopic(settings)], "1h", folder)
    groups = broker.admin().list_consumer_groups(request_timeout=SECONDS).result().valid
    assert settings.group not in [group.group_id for group in groups], "there is one once it is joined or committed to"


def test_only_what_was_written_in_the_time_before_is_read(broker: Broker, folder: Path) -> None:
    broker.create_topic("aged")
    write(broker, "aged", numbered(150), age=7200)
    write(broker, "aged", numbered(150, first=150), age=600)
    found = load_collected([topic(broker, "aged")], "1h", folder)
    assert texts(found) == [line.decode() for line in numbered(150, first=150)]
    assert [recording.name for recording in found.train] == [f"{broker.bootstrap_servers}/aged/0:150-239"]
    assert batches(found)[0].positions[0] == 150


def test_a_topic_with_old_lines_only_is_told_by_its_name(broker: Broker, folder: Path) -> None:
    broker.create_topic("old", PARTITIONS)
    write(broker, "old", numbered(500), age=7200)
    words = f"the last 1h of topic {broker.bootstrap_servers}/old: 0 lines are too few to learn from, at least 100"
    with pytest.raises(InvalidInputError, match=words), kept_until_done(folder):
        load_collected([topic(broker, "old")], "1h", folder)
    assert not folder.exists(), "the next training has to read anew"


def test_a_topic_that_is_not_there_is_no_empty_one(broker: Broker, folder: Path) -> None:
    with pytest.raises(KafkaUnusableError, match=r"topic nowhere at .*: Unknown topic"):
        load_collected([topic(broker, "nowhere")], "1h", folder)


def test_lines_that_come_while_it_reads_are_left_for_the_next_training(broker: Broker) -> None:
    broker.create_topic("busy")
    write(broker, "busy", numbered(6000))
    settings = settings_for(broker, "busy")
    with reader(settings, settings.group) as consumer:
        assert partitions_of(consumer, settings, "busy") == [0]
        read = read_to_end(consumer, settings, [TopicPartition("busy", 0, OFFSET_BEGINNING)])
        count = len(next(read))
        write(broker, "busy", numbered(500))
        assert count + sum(map(len, read)) == 6000


def test_marks_of_transactions_at_the_end_do_not_hold_it_up(broker: Broker, folder: Path) -> None:
    broker.create_topic("transacted")
    collector = ConfluentProducer({"bootstrap.servers": broker.bootstrap_servers, "transactional.id": "transacted"})
    collector.init_transactions(SECONDS)
    for commit in (True, False):
        collector.begin_transaction()
        for line in numbered(120):
            collector.produce("transacted", line, b"10.0.0.1")
        assert collector.flush(SECONDS) == 0, "an abort would take back what was not sent yet"
        if commit:
            collector.commit_transaction(SECONDS)
        else:
            collector.abort_transaction(SECONDS)
    assert len(texts(load_collected([topic(broker, "transacted")], "1h", folder))) == 120


def test_a_line_comes_back_as_a_detector_reads_it(broker: Broker, folder: Path) -> None:
    broker.create_topic("kinds")
    now = time.time()
    values = [
        *(encode(b"<13>r1 app: %d" % n, received=now + n / 1000, peer="10.0.0.1", listener="udp") for n in range(200)),
        encode(b"two\nlines", received=now + 1, peer="10.0.0.2", listener="http", late=True),
        encode(b"bytes \xff", received=now + 2),
        encode(b"", received=now + 2, reason="broken frame"),
        b'{"logwarden": 1, "nonsense": true}',
    ]
    write(broker, "kinds", values)
    said: list[str] = []
    found = load_collected([topic(broker, "kinds")], "1h", folder, said.append)
    assert said == [
        f"202 lines from topic {broker.bootstrap_servers}/kinds, 2 more that cannot be read are left out",
    ]
    late, last = batches(found)[-2:]
    assert (late.lines, late.peers, late.listener, late.late) == (["two\nlines"], ["10.0.0.2"], "http", True)
    assert (last.lines, last.peers, last.listener, last.late) == (["bytes \udcff"], ["10.0.0.1"], None, False)
    assert last.received == [now + 2]


def test_lines_are_masked_before_they_are_kept(broker: Broker, folder: Path) -> None:
    broker.create_topic("masked")
    write(broker, "masked", [b"<13>r1 app: login from 192.0.2.77"] * 150)
    privacy = Privacy(["ip"], b"0123456789abcdef")
    found = load_collected([topic(broker, "masked", privacy)], "1h", folder)
    assert texts(found) == [privacy.text("<13>r1 app: login from 192.0.2.77")] * 150
    assert all(b"192.0.2.77" not in path.read_bytes() for path in folder.rglob("*.jsonl"))


def test_a_training_that_was_killed_goes_on_with_the_same_lines(broker: Broker, folder: Path) -> None:
    broker.create_topic("again", PARTITIONS)
    write(broker, "again", numbered(300))

    def load() -> Dataset:
        return load_collected([topic(broker, "again")], "1h", folder, said.append)

    def be_killed() -> None:
        with kept_until_done(folder):
            hashes.append(load().sha256())
            raise KeyboardInterrupt

    said: list[str] = []
    hashes: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        be_killed()
    write(broker, "again", numbered(50))
    with kept_until_done(folder):
        second = load()
        assert said[-1].startswith(f"going on with what was fetched from {broker.bootstrap_servers}/again at ")
        assert [second.sha256()] == hashes
        assert len(texts(second)) == 300
    assert not folder.exists()
    assert len(texts(load())) == 350


def test_several_topics_are_divided_at_the_same_moments(broker: Broker, folder: Path) -> None:
    for name, count in (("one", 400), ("two", 0), ("three", 100)):
        broker.create_topic(name)
        begin = time.time() - 500
        values = [encode(line, received=begin + n, peer="r1") for n, line in enumerate(numbered(count))]
        write(broker, name, values)
    found = load_collected([topic(broker, name) for name in ("one", "two", "three")], "1h", folder)
    assert sum(len(batch.lines) for one in found.train for batch in one.batches()) == 300
    assert max(one.ended for one in found.train) <= min(one.started for one in found.validation)
    assert {batch.stream for batch in batches(found)} == {"one/0", "three/0"}


FILE = """
apiVersion: logwarden.dev/v1alpha1
kind: AnomalyModel
metadata: {{name: campus}}
spec: {{training: {{datasets: [{{topic: {{last: 1h}}}}]}}}}
---
apiVersion: logwarden.dev/v1alpha1
kind: LogPipeline
metadata: {{name: campus}}
spec:
{kafka}
  detect: {{modelRef: {{name: campus}}}}
"""


def train(home: Path, kafka: str, *args: str) -> subprocess.CompletedProcess[str]:
    file = home / "campus.yaml"
    file.write_text(FILE.format(kafka=kafka))
    command = [sys.executable, "-m", "logwarden", "train", "-f", str(file), "--steps", "0", *args]
    environment = {**os.environ, "LOGWARDEN_DATA_DIR": str(home / "data"), "XDG_STATE_HOME": str(home / "state")}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=SECONDS)


@pytest.mark.train
@pytest.mark.parametrize("option", [False, True], ids=["kafka in the file", "kafka by option"])
def test_one_machine_trains_on_what_its_pipeline_collected(broker: Broker, tmp_path: Path, option: bool) -> None:
    name = f"trained-{option}".lower()
    broker.create_topic(name, PARTITIONS)
    produce(broker, name, network(time.time() - 300, minutes=4, filler=500))
    servers = "127.0.0.1:1" if option else broker.bootstrap_servers
    kafka = f'  kafka: {{bootstrapServers: "{servers}", topic: {{name: {name}}}}}'
    done = train(tmp_path, kafka, *(["--bootstrap-servers", broker.bootstrap_servers] if option else []))
    assert done.returncode == 0, done.stderr
    (manifest,) = (tmp_path / "data" / "models").rglob("manifest.json")
    (data,) = json.loads(manifest.read_text())["data"]
    assert (data["uri"], data["format"]) == (f"kafka://{broker.bootstrap_servers}/{name}", "topic")
    assert not (tmp_path / "data" / "training" / "campus" / ".logwarden-data").exists()


@pytest.mark.train
def test_a_kafka_that_nothing_names_is_asked_for_by_its_field(tmp_path: Path) -> None:
    done = train(tmp_path, "")
    assert done.returncode == 2
    assert "spec.training.datasets[0].topic: LogPipeline campus names no Kafka: add spec.kafka.boot" in done.stderr
