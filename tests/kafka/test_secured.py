"""A Kafka that asks who is there: TLS, client certificates, SCRAM, and what a detector says when it is refused."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from logwarden.api.load import load_pipelines
from logwarden.datasets import RawTopic, load_collected
from logwarden.errors import InvalidInputError
from logwarden.kafka.errors import KafkaUnusableError
from logwarden.kafka.producer import Producer
from logwarden.kafka.settings import KafkaSettings, settings_of
from logwarden.kafka.topics import ensure_topics
from logwarden.local.secrets import read_secret
from tests.services.certificates import Authority
from tests.services.kafka import Broker

from .conftest import PIPELINE, SECONDS

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed"),
]

PASSWORD = "alice's secret"
LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
TLS = "tls: {{caSecretRef: {{name: ca, key: ca.crt}}{more}}}"
SCRAM = "sasl: {{credentialsSecretRef: {{name: {user}}}}}"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("kafka-tls") / "ca")


@pytest.fixture(scope="module")
def secured(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker with a SCRAM and an mTLS listener, on which alice may do everything and bob nothing."""
    certificate, key = authority.sign("broker")
    both = authority.folder / "broker.pem"
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    properties = (
        "ssl.keystore.type=PEM",
        f"ssl.keystore.location={both}",
        "ssl.truststore.type=PEM",
        f"ssl.truststore.location={authority.folder / 'ca.crt'}",
        "listener.name.ssl.ssl.client.auth=required",
        "sasl.enabled.mechanisms=SCRAM-SHA-512",
        f"listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={LOGIN}",
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users=User:ANONYMOUS;User:alice;User:CN=alice",
    )
    broker = Broker(tmp_path_factory.mktemp("secured"), properties, protocols=("SASL_SSL", "SSL"))
    broker.start()
    admin = broker.admin()
    mechanism = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    users = [UserScramCredentialUpsertion(name, mechanism, PASSWORD.encode()) for name in ("alice", "bob")]
    for done in admin.alter_user_scram_credentials(users).values():
        done.result(SECONDS)
    yield broker
    broker.stop()


@pytest.fixture
def secrets(authority: Authority, tmp_path: Path) -> Path:
    """A folder of Secrets: the authority, users, and a client's certificate."""
    folder = tmp_path / "secrets"
    for name, values in {
        "ca": {"ca.crt": (authority.folder / "ca.crt").read_text()},
        "alice": {"username": "alice", "password": PASSWORD},
        "bob": {"username": "bob", "password": PASSWORD},
        "mallory": {"username": "alice", "password": "a guess"},
    }.items():
        (folder / name).mkdir(parents=True)
        for key, value in values.items():
            (folder / name / key).write_text(value + "\n")
    certificate, key_file = authority.sign("alice")
    (folder / "client").mkdir()
    shutil.copy(certificate, folder / "client" / "tls.crt")
    shutil.copy(key_file, folder / "client" / "tls.key")
    return folder


Settings = Callable[..., KafkaSettings]


@pytest.fixture
def pipeline(tmp_path: Path) -> Callable[..., Path]:
    def write(servers: str, *more: str, topic: str = "secured") -> Path:
        file = tmp_path / "pipeline.yaml"
        text = PIPELINE.format(model="builtin", servers=servers, topic=topic, name="test")
        file.write_text(text.replace("partitions: 3}", "partitions: 3}" + "".join(f", {one}" for one in more)))
        return file

    return write


@pytest.fixture
def settings(pipeline: Callable[..., Path], secrets: Path) -> Settings:
    """Read settings from a pipeline for a listener of the broker."""

    def make(servers: str, *more: str, topic: str = "secured") -> KafkaSettings:
        chosen = load_pipelines(pipeline(servers, *more, topic=topic))[0]
        return settings_of(chosen.pipeline, partial(read_secret, secrets))

    return make


def at(broker: Broker, protocol: str) -> str:
    return f"127.0.0.1:{broker.ports[protocol]}"


@pytest.mark.parametrize(
    ("protocol", "more"),
    [
        ("SASL_SSL", [TLS.format(more=""), SCRAM.format(user="alice")]),
        ("SSL", [TLS.format(more=", certificateSecretRef: {name: client}")]),
    ],
    ids=["scram", "mtls"],
)
def test_lines_are_delivered_by_who_may(secured: Broker, settings: Settings, protocol: str, more: list[str]) -> None:
    chosen = settings(at(secured, protocol), *more, topic=f"for-{protocol.lower()}")
    assert ensure_topics(chosen) == 3
    assert ensure_topics(chosen) == 3, "they are there"
    with Producer(chosen) as producer:
        producer.append("udp", [b"x"], "10.0.0.1")
        producer.durable().result(SECONDS)


def test_whoever_may_run_a_detector_may_train_on_what_was_collected(
    secured: Broker, settings: Settings, tmp_path: Path
) -> None:
    chosen = settings(at(secured, "SASL_SSL"), TLS.format(more=""), SCRAM.format(user="bob"), topic="read-by-bob")
    secured.create_topic("read-by-bob")
    with Producer(replace(chosen, bootstrap_servers=secured.bootstrap_servers, tls=None, sasl=None)) as producer:
        producer.append("udp", [b"<13>r1 app: %d" % number for number in range(150)], "10.0.0.1")
        producer.durable().result(SECONDS)
    with pytest.raises(KafkaUnusableError, match="authoriz"):
        load_collected([RawTopic(chosen)], "1h", tmp_path / "refused")
    rights = [(ResourceType.TOPIC, "read-by-bob"), (ResourceType.GROUP, chosen.group)]
    allowed = [
        AclBinding(kind, name, ResourcePatternType.LITERAL, "User:bob", "*", operation, AclPermissionType.ALLOW)
        for kind, name in rights
        for operation in (AclOperation.DESCRIBE, AclOperation.READ)
    ]
    admin = secured.admin()
    for done in admin.create_acls(allowed).values():
        done.result(SECONDS)
    dataset = load_collected([RawTopic(chosen)], "1h", tmp_path / "allowed")
    assert sum(len(batch.lines) for one in dataset.train for batch in one.batches()) == 90


@pytest.mark.parametrize(
    ("protocol", "more", "message"),
    [
        ("SASL_SSL", [TLS.format(more=""), SCRAM.format(user="mallory")], "Authentication failed"),
        ("SASL_SSL", [TLS.format(more=""), SCRAM.format(user="bob")], "topic secured is absent at .* cannot be made"),
        ("SASL_SSL", ["tls: {}", SCRAM.format(user="alice")], "certificate verify failed"),
        ("SSL", [TLS.format(more="")], "cannot use Kafka at .*(SSL|Disconnected|certificate)"),
    ],
    ids=["wrong password", "no rights", "unknown authority", "no certificate"],
)
def test_who_is_refused_is_told_why(
    secured: Broker, settings: Settings, protocol: str, more: list[str], message: str
) -> None:
    with pytest.raises(KafkaUnusableError, match=message) as refused:
        ensure_topics(settings(at(secured, protocol), *more))
    assert "\n" not in str(refused.value)
    assert PASSWORD not in str(refused.value)


def test_a_secret_that_is_not_there_is_told_by_its_field(settings: Settings) -> None:
    with pytest.raises(InvalidInputError, match=r"spec.kafka.sasl.credentialsSecretRef names the Secret carol"):
        settings("127.0.0.1:1", SCRAM.format(user="carol"))


@pytest.mark.parametrize(
    ("servers", "message"),
    [("no-such-host.invalid:9092", "no-such-host.invalid"), ("127.0.0.1:1", "refused")],
    ids=["unknown host", "nobody there"],
)
def test_a_kafka_that_cannot_be_reached_ends_a_detector_with_one_line(
    pipeline: Callable[..., Path], tmp_path: Path, servers: str, message: str
) -> None:
    command = [sys.executable, "-m", "logwarden", "run", "detector", "-f", str(pipeline(servers))]
    command += ["--store", str(tmp_path / "store.db")]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert f"cannot use Kafka at {servers}: " in result.stderr
    assert message in result.stderr
