"""A real Kafka broker for tests: one node that is broker and controller, on loopback, in a folder of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from functools import cache
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from tests.services.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 180.0
STOP_SECONDS = 30.0
# Any fixed id: each broker has a cluster of its own.
_CLUSTER = "bG9nd2FyZGVuLXRlc3RzMQ"
# Most brokers live for seconds: Java's best compiler would cost more than it gives.
_SHORT_LIVED = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")


def obstacle() -> str | None:
    """What keeps a broker from running here, in words, or None."""
    if shutil.which("java") is None:
        return "not found: java"
    if _jars() is None:
        return "the jars of Kafka could not be fetched by scripts/kafka.sh (needs mvn)"
    return None


class Broker:
    """A broker that can be stopped, killed and started again on the same port and data.

    Parameters
    ----------
    folder
        For its data, configuration and log.
    properties
        Lines of server.properties, added to ours.
    protocols
        Listeners beside the plain one: SASL_SSL, SSL.
    host, namespace
        Address for everything, and the network namespace that has it; loopback of this one by default.
    measured
        Whether its speed matters once it runs, and not how soon it does.
    """

    def __init__(
        self,
        folder: Path,
        properties: tuple[str, ...] = (),
        protocols: tuple[str, ...] = (),
        *,
        host: str = "127.0.0.1",
        namespace: str | None = None,
        measured: bool = False,
    ) -> None:
        self._folder = folder
        self._host = host
        self._inside = ["ip", "netns", "exec", namespace] if namespace is not None else []
        self._java_options = () if measured else _SHORT_LIVED
        self.port, controller = free_port(), free_port()
        self.ports = {name: free_port() for name in protocols}
        self.bootstrap_servers = f"{host}:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self._config = folder / "server.properties"
        self._classes = folder / "classes.jsa"
        self._config.write_text("\n".join([*self._properties(controller), *properties]) + "\n")
        self._run_tool("kafka.tools.StorageTool", "format", "--standalone", "-t", _CLUSTER, "-c", str(self._config))

    def start(self) -> None:
        """Start, and return when the broker answers."""
        archive = [] if _class_archive().exists() else [f"-XX:ArchiveClassesAtExit={self._classes}"]
        with (self._folder / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._inside, *self._java("-Xmx400m", *archive), "kafka.Kafka", str(self._config)],
                stdout=log,
                stderr=log,
                cwd=self._folder,
            )
        until = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError((self._folder / "broker.log").read_text()[-2000:])

    def stop(self) -> None:
        """Let it shut down."""
        self._end(kill=False)

    def kill(self) -> None:
        """End it at once, as a crash does."""
        self._end(kill=True)

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The running broker."""
        assert self._process is not None
        return self._process

    def _end(self, *, kill: bool) -> None:
        if self._process is None:
            return
        if kill:
            self._process.kill()
        else:
            self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
            self._keep_classes()
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _answers(self) -> bool:
        try:
            socket.create_connection((self._host, self.port), timeout=1.0).close()
            return bool(self.admin().list_topics(timeout=5.0).brokers)
        except (OSError, KafkaException):
            time.sleep(0.2)
            return False

    def admin(self) -> AdminClient:
        """Return a client for topics and groups."""
        return AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})

    def create_topic(self, name: str, partitions: int = 1) -> None:
        """Create a topic, and return when it is there."""
        admin = self.admin()  # kept until the end: futures of a client that is gone fail
        for created in admin.create_topics([NewTopic(name, partitions, 1)]).values():
            created.result(START_SECONDS)

    def _properties(self, controller: int) -> list[str]:
        more = "".join(f",{name}://{self._host}:{port}" for name, port in self.ports.items())
        return [
            "process.roles=broker,controller",
            "node.id=1",
            f"controller.quorum.bootstrap.servers={self._host}:{controller}",
            "controller.listener.names=CONTROLLER",
            f"listeners=PLAINTEXT://{self._host}:{self.port},CONTROLLER://{self._host}:{controller}{more}",
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL",
            f"log.dirs={self._folder / 'data'}",
            "offsets.topic.replication.factor=1",
            "offsets.topic.num.partitions=4",
            "share.coordinator.state.topic.replication.factor=1",
            "transaction.state.log.replication.factor=1",
            "transaction.state.log.min.isr=1",
            "transaction.state.log.num.partitions=4",
            "group.initial.rebalance.delay.ms=0",
            # A consumer that was killed is noticed in seconds.
            "group.consumer.min.session.timeout.ms=3000",
            "group.consumer.session.timeout.ms=3000",
            "group.consumer.min.heartbeat.interval.ms=500",
            "group.consumer.heartbeat.interval.ms=500",
            "auto.create.topics.enable=false",
        ]

    def _run_tool(self, *args: str) -> None:
        done = subprocess.run([*self._java("-Xmx200m"), *args], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)

    def _java(self, *options: str) -> list[str]:
        archive = _class_archive()
        shared = [f"-XX:SharedArchiveFile={archive}"] if archive.exists() else []
        return ["java", *options, *self._java_options, *shared, "-cp", f"{_jars()}/*"]

    def _keep_classes(self) -> None:
        """Put the archive of classes that this broker may have written at its end where the next ones look for it."""
        if self._classes.exists():
            part = _class_archive().with_suffix(f".{os.getpid()}")
            shutil.move(self._classes, part)
            part.rename(_class_archive())


@cache
def _jars() -> Path | None:
    done = subprocess.run(["sh", "scripts/kafka.sh"], cwd=ROOT, capture_output=True, text=True, check=False)
    folder = done.stdout.strip()
    return Path(folder) if folder else None


@cache
def _class_archive() -> Path:
    """Return where the classes of Kafka are kept, loaded and checked, for this Java: starting takes half as long."""
    java, jars = shutil.which("java"), _jars()
    assert java is not None
    assert jars is not None
    return jars / f"classes-{Path(java).resolve().stat().st_mtime_ns}.jsa"
