"""A collector and a Kafka that asks who is there, with what the files of Secrets hold."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer

from tests.collector.pipelines import pipeline
from tests.collector.test_delivery import over_tcp
from tests.services.certificates import Authority
from tests.services.kafka import Broker
from tests.services.ports import free_port
from tests.services.syslog_ng import Collector

pytestmark = pytest.mark.syslog

SECONDS = 60.0
PASSWORD = """it's "quoted" \\ `NODE_NAME` $HOST #"""
_ESCAPED = PASSWORD.replace("\\", "\\\\").replace('"', '\\"').replace("\\", "\\\\")
# Not SCRAM: the client library of Debian 12 (librdkafka 2.0) fails at it with any Kafka from version 4 on.
LOGIN = f'org.apache.kafka.common.security.plain.PlainLoginModule required user_collector="{_ESCAPED}";'
SASL = {"mechanism": "PLAIN"}
TLS: dict[str, Any] = {"caSecretRef": {"name": "ca", "key": "ca.crt"}}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("kafka-tls") / "ca")


@pytest.fixture(scope="module")
def secured(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker with a listener for passwords and one for certificates."""
    certificate, key = authority.sign("broker")
    both = authority.folder / "broker.pem"
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    properties = (
        "ssl.keystore.type=PEM",
        f"ssl.keystore.location={both}",
        "ssl.truststore.type=PEM",
        f"ssl.truststore.location={authority.folder / 'ca.crt'}",
        "listener.name.ssl.ssl.client.auth=required",
        "sasl.enabled.mechanisms=PLAIN",
        f"listener.name.sasl_ssl.plain.sasl.jaas.config={LOGIN}",
    )
    broker = Broker(tmp_path_factory.mktemp("secured"), properties, protocols=("SASL_SSL", "SSL"))
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def folder(authority: Authority, tmp_path: Path) -> Path:
    """A collector's folder, with its Secrets."""
    secrets = tmp_path / "collector" / "secrets"
    texts = {
        "ca/ca.crt": (authority.folder / "ca.crt").read_text(),
        "user/username": "collector\n",
        "user/password": f"{PASSWORD}\n",
        "stranger/username": "collector",
        "stranger/password": "a guess",
    }
    for name, text in texts.items():
        (secrets / name).parent.mkdir(parents=True, exist_ok=True)
        (secrets / name).write_text(text)
    certificate, key = authority.sign("collector")
    (secrets / "client").mkdir()
    shutil.copy(certificate, secrets / "client" / "tls.crt")
    shutil.copy(key, secrets / "client" / "tls.key")
    return tmp_path / "collector"


def send_a_line(folder: Path, broker: Broker, topic: str, protocol: str, **kafka: Any) -> Collector:
    """Start a collector, and send it a line."""
    port = free_port()
    servers = f"127.0.0.1:{broker.ports[protocol]}"
    described = pipeline(
        listeners=[{"name": "tcp", "transport": "TCP", "port": port}],
        kafka={"bootstrapServers": servers, "topic": {"name": topic}, **kafka},
    )
    collector = Collector(folder, described, servers)
    collector.start()
    over_tcp(port, b"<38>Mar  1 12:00:00 srv1 app[7]: a line\n")
    return collector


def consume_one(broker: Broker, topic: str) -> bytes:
    consumer = Consumer(
        {"bootstrap.servers": broker.bootstrap_servers, "group.id": topic, "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    found = consumer.consume(1, timeout=SECONDS)
    consumer.close()
    return b"".join(message.value() or b"" for message in found)


@pytest.mark.parametrize(
    ("protocol", "kafka"),
    [
        ("SASL_SSL", {"tls": TLS, "sasl": {**SASL, "credentialsSecretRef": {"name": "user"}}}),
        ("SSL", {"tls": {**TLS, "certificateSecretRef": {"name": "client"}}}),
    ],
    ids=["password", "certificate"],
)
def test_a_line_arrives_with_what_the_secrets_hold(
    protocol: str, kafka: dict[str, Any], folder: Path, secured: Broker
) -> None:
    topic = f"raw-{protocol}"
    secured.create_topic(topic)
    collector = send_a_line(folder, secured, topic, protocol, **kafka)
    try:
        assert b"a line" in consume_one(secured, topic)
        files = [file for file in folder.rglob("*") if file.is_file() and "secrets" not in file.parts]
        assert {file.name for file in files if b"quoted" in file.read_bytes()} <= {"kafka-credentials.conf"}
        credentials = folder / "run" / "kafka-credentials.conf"
        assert credentials.exists() is (protocol == "SASL_SSL")
        assert not credentials.exists() or credentials.stat().st_mode & 0o077 == 0
    finally:
        collector.stop()


def test_a_wrong_password_is_told_and_the_line_waits(folder: Path, secured: Broker) -> None:
    secured.create_topic("raw-refused")
    kafka = {"tls": TLS, "sasl": {**SASL, "credentialsSecretRef": {"name": "stranger"}}}
    collector = send_a_line(folder, secured, "raw-refused", "SASL_SSL", **kafka)
    try:
        until = time.monotonic() + SECONDS
        while "uthentication failed" not in collector.log:
            assert time.monotonic() < until, collector.log
            time.sleep(0.5)
        assert (collector.stats().written, collector.stats().dropped) == (0, 0)
        assert "a guess" not in collector.log
        collector.kill()
        (folder / "secrets" / "stranger" / "password").write_text(PASSWORD)
        collector.start()
        assert b"a line" in consume_one(secured, "raw-refused")
    finally:
        collector.kill()
