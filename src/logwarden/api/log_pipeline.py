"""LogPipeline: where logs come from, which topics carry them, which model watches them, who is alerted."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from logwarden.api.base import (
    Address,
    Allowed,
    ByteSize,
    Duration,
    ModelRef,
    ObjectName,
    Port,
    Resource,
    ResourceStatus,
    Rule,
    SecretKey,
    SecretKeyRef,
    SecretRef,
    Spec,
    Status,
    Url,
    nested,
)
from logwarden.errors import InvalidInputError

Transport = Literal["UDP", "TCP", "TLS"]
ClientAuth = Literal["None", "Optional", "Required"]
Framing = Literal["Auto", "OctetCounted", "Newline"]
ServiceType = Literal["ClusterIP", "NodePort", "LoadBalancer"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
MinimumSeverity = Literal["info", "warning", "critical"]
PrivateKind = Literal["ip", "user", "mac", "email", "secret"]
WebhookNews = Literal["Anomalies", "Pipeline", "FailedProcessing"]
MaskingPlace = Literal["Collection", "Detection"]

LOOPBACK = "127.0.0.1"
_PLAIN_PORT, _TLS_PORT = 9092, 9093

ListenerName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z]([-a-z0-9]{0,13}[a-z0-9])?$", max_length=15),
    Allowed("at most 15 lower-case letters, digits and inner hyphens, starting with a letter"),
]
TopicName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]*$", max_length=200),
    Allowed("at most 200 letters, digits, dots, underscores and hyphens"),
]
BOOTSTRAP_SERVERS = re.compile(r"^[^\s,:]+:[0-9]{1,5}(,[^\s,:]+:[0-9]{1,5})*$")
BootstrapServers = Annotated[
    str,
    StringConstraints(pattern=BOOTSTRAP_SERVERS.pattern, max_length=2048),
    Allowed("host:port, or several separated by commas"),
]
Path = Annotated[
    str,
    StringConstraints(pattern=r"^/[^\x00]*$", max_length=1024),
    Allowed("an absolute path"),
]


class ListenerSpec(Spec):
    """A port on which devices send syslog."""

    RULES: ClassVar = (
        Rule(
            "self.transport != 'TLS' || has(self.tlsSecretRef)",
            "transport TLS needs tlsSecretRef, a Secret of type kubernetes.io/tls",
            "tlsSecretRef",
            lambda listener: listener.transport != "TLS" or listener.tls_secret_ref is not None,
        ),
        Rule(
            "self.transport == 'TLS' || (!has(self.tlsSecretRef) && self.clientAuth == 'None')",
            "tlsSecretRef and clientAuth are only for transport TLS",
            "transport",
            lambda listener: (
                listener.transport == "TLS" or (listener.tls_secret_ref is None and listener.client_auth == "None")
            ),
        ),
        Rule(
            "self.transport != 'UDP' || self.framing == 'Auto'",
            "framing is only for transport TCP and TLS: over UDP a datagram is a message",
            "framing",
            lambda listener: listener.transport != "UDP" or listener.framing == "Auto",
        ),
    )

    name: ListenerName = Field(description="Name of the listener; records show where a line came in.")
    transport: Transport = Field("UDP", description="How syslog arrives.")
    port: Port = Field(5514, description="Port to listen on. Below 1024 needs root on one machine.")
    address: Address | None = Field(
        None,
        description="Address to bind on one machine: 127.0.0.1 by default; 0.0.0.0 lets other devices send. "
        "Without meaning in a cluster, where the Service decides.",
    )
    tls_secret_ref: SecretRef | None = Field(
        None, description="Secret with `tls.crt`, `tls.key` and, to check clients, `ca.crt`; required with TLS."
    )
    client_auth: ClientAuth = Field("None", description="Whether clients must show a certificate of `ca.crt`.")
    framing: Framing = Field(
        "Auto",
        description="How messages are told apart over TCP and TLS (RFC 6587). With Auto one machine, and over TCP a "
        "syslog-ng from 4.10 on, find out for each sender; any other takes Newline over TCP, OctetCounted over TLS.",
    )

    @property
    def bind_address(self) -> str:
        """Address to bind on one machine."""
        return self.address or LOOPBACK


class ServiceSpec(Spec):
    """The Service in front of the listeners."""

    type: ServiceType = Field("ClusterIP", description="How devices reach the listeners.")
    annotations: dict[str, Annotated[str, StringConstraints(max_length=4096)]] = Field(
        default_factory=dict, max_length=32, description="Annotations of the Service, such as a load balancer's."
    )


def _ports_differ(syslog: SyslogSpec) -> bool:
    ports = [(listener.port, listener.transport == "UDP") for listener in syslog.listeners]
    return len(set(ports)) == len(ports)


def _names_differ(syslog: SyslogSpec) -> bool:
    names = [listener.name for listener in syslog.listeners]
    return len(set(names)) == len(names)


class SyslogSpec(Spec):
    """Syslog from devices."""

    RULES: ClassVar = (
        Rule(
            "self.listeners.all(a, self.listeners.exists_one(b, a.name == b.name))",
            "two listeners have the same name",
            "listeners",
            _names_differ,
        ),
        Rule(
            "self.listeners.all(a, self.listeners.exists_one(b, "
            "a.port == b.port && (a.transport == 'UDP') == (b.transport == 'UDP')))",
            "two listeners share a port (UDP and TCP may; TCP and TLS may not)",
            "listeners",
            _ports_differ,
        ),
    )

    listeners: list[ListenerSpec] = Field(
        default_factory=list,
        max_length=16,
        description="Ports on which devices send syslog.",
        json_schema_extra={"default": [], "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )
    service: ServiceSpec = nested(ServiceSpec, "The Service in front of the listeners.")


class TokenSecretRef(Spec):
    """A Secret with the bearer token that senders must show."""

    name: ObjectName = Field(description="Name of the Secret.")
    key: SecretKey = Field("token", description="Key in the Secret.")


class HttpSpec(Spec):
    """Logs sent by HTTP."""

    enabled: bool = Field(False, description="Whether logs are taken by HTTP.")
    port: Port = Field(8080, description="Port to listen on.")
    address: Address | None = Field(
        None,
        description="Address to bind on one machine: 127.0.0.1 by default; 0.0.0.0 lets other machines send. "
        "Without meaning in a cluster, where the Service decides.",
    )
    token_secret_ref: TokenSecretRef | None = Field(
        None,
        description="Secret with the bearer tokens of which senders must show one: a token, or `NAME=TOKEN` a line; "
        "without it anyone may send.",
    )
    tls_secret_ref: SecretRef | None = Field(
        None, description="Secret with `tls.crt` and `tls.key`: logs are then taken by HTTPS only."
    )

    lines_per_second: int | None = Field(
        None,
        ge=1,
        le=10_000_000,
        description="Most lines a second from each token, or from each address where there are no tokens; any number "
        "by default.",
    )

    @property
    def bind_address(self) -> str:
        """Address to bind on one machine."""
        return self.address or LOOPBACK


class BufferSpec(Spec):
    """Disk buffer of a collector, for when Kafka is away."""

    size: ByteSize = Field("2Gi", description="Most bytes on the disk of a node.")
    path: Path = Field("/var/lib/logwarden", description="Folder on the node.")


class CollectSpec(Spec):
    """Where logs come from."""

    nodes: bool = Field(False, description="Whether the syslog of every node of the cluster is collected.")
    syslog: SyslogSpec = nested(SyslogSpec, "Syslog from devices.")
    http: HttpSpec = nested(HttpSpec, "Logs sent by HTTP.")
    buffer: BufferSpec = nested(BufferSpec, "Disk buffer of a collector, for when Kafka is away.")


class StrimziUserSpec(Spec):
    """The user of Kafka with which a pipeline's pods sign in, made as a KafkaUser."""

    name: ObjectName = Field(description="Name of the KafkaUser, which is the user's name in `sasl`'s Secret, too.")
    authorization: Literal["Simple", "None"] = Field(
        "Simple",
        description="`Simple` gives it the rights that the pipeline needs and no others, where the Kafka cluster has "
        "simple authorization; `None` leaves rights alone.",
    )


class StrimziRef(Spec):
    """A Kafka cluster run by Strimzi."""

    cluster: ObjectName = Field(description="Name of the Kafka resource.")
    namespace: ObjectName | None = Field(None, description="Its namespace; the pipeline's own by default.")
    user: StrimziUserSpec | None = Field(
        None,
        description="Makes a KafkaUser with SCRAM-SHA-512. Its password is the key `password` of a Secret in Kafka's "
        "namespace that is named as `sasl.credentialsSecretRef`. None by default.",
    )


class KafkaTlsSpec(Spec):
    """TLS to Kafka."""

    ca_secret_ref: SecretKeyRef | None = Field(
        None, description="Secret with the certificate authority; the system's own by default."
    )
    certificate_secret_ref: SecretRef | None = Field(
        None, description="Secret with `tls.crt` and `tls.key` that identify this client."
    )


class KafkaSaslSpec(Spec):
    """User and password for Kafka."""

    mechanism: SaslMechanism = Field("SCRAM-SHA-512", description="SASL mechanism.")
    credentials_secret_ref: SecretRef = Field(description="Secret with the keys `username` and `password`.")


class TopicSpec(Spec):
    """The topic of raw logs. The names of the other topics follow from its name."""

    RULES: ClassVar = (Rule("self.name == oldSelf.name", "the topic's name cannot be changed", "name"),)

    name: TopicName = Field("netlogs-raw", description="Name of the topic.")
    partitions: int = Field(
        6,
        ge=1,
        le=1000,
        description="Number of partitions: the most detectors that can share the work. Can grow, never shrink.",
        json_schema_extra={
            "x-kubernetes-validations": [{"rule": "self >= oldSelf", "message": "partitions can grow, never shrink"}]
        },
    )
    replicas: int = Field(3, ge=1, le=9, description="Copies of each partition.")
    retention: Duration = Field("7d", description="How long raw logs are kept.")

    @property
    def anomalies(self) -> str:
        """Name of the topic that anomalies are written to: ``netlogs-anomalies`` beside ``netlogs-raw``."""
        return self.name.removesuffix("-raw") + "-anomalies"

    @property
    def dead_letters(self) -> str:
        """Name of the topic for what could not be processed: ``netlogs-raw.dlq`` beside ``netlogs-raw``."""
        return self.name + ".dlq"


class KafkaSpec(Spec):
    """The Kafka that carries the logs."""

    RULES: ClassVar = (
        Rule(
            "has(self.strimzi) != has(self.bootstrapServers)",
            "name exactly one of strimzi and bootstrapServers",
            None,
            lambda kafka: (kafka.strimzi is None) != (kafka.bootstrap_servers is None),
        ),
        Rule(
            "!has(self.strimzi) || !has(self.strimzi.user) || "
            "(has(self.sasl) && self.sasl.mechanism == 'SCRAM-SHA-512')",
            "strimzi.user needs sasl with mechanism SCRAM-SHA-512",
            "strimzi",
            lambda kafka: (
                kafka.strimzi is None
                or kafka.strimzi.user is None
                or (kafka.sasl is not None and kafka.sasl.mechanism == "SCRAM-SHA-512")
            ),
        ),
    )

    strimzi: StrimziRef | None = Field(None, description="A cluster run by Strimzi: topics are its KafkaTopics.")
    bootstrap_servers: BootstrapServers | None = Field(None, description="Addresses of any other Kafka.")
    tls: KafkaTlsSpec | None = Field(None, description="TLS to Kafka.")
    sasl: KafkaSaslSpec | None = Field(None, description="User and password for Kafka.")
    topic: TopicSpec = nested(TopicSpec, "The topic of raw logs.")

    def address(self, namespace: str) -> str:
        """Return where clients find it: Strimzi names its Service after the cluster.

        ``namespace`` is that of the pipeline.
        """
        if self.bootstrap_servers is not None:
            return self.bootstrap_servers
        assert self.strimzi is not None  # a rule above
        port = _PLAIN_PORT if self.tls is None else _TLS_PORT
        return f"{self.strimzi.cluster}-kafka-bootstrap.{self.strimzi.namespace or namespace}.svc:{port}"


class DetectSpec(Spec):
    """Which model watches the logs."""

    model_ref: ModelRef = Field(description="The AnomalyModel.")
    explain: bool = Field(True, description="Whether anomalies are explained.")


class PrivacySpec(Spec):
    """What nobody shall see, and where it is masked."""

    RULES: ClassVar = (
        Rule(
            "self.mask.size() == 0 || has(self.keySecretRef)",
            "mask needs keySecretRef, a Secret with the key of the pseudonyms",
            "keySecretRef",
            lambda privacy: not privacy.mask or privacy.key_secret_ref is not None,
        ),
    )

    mask: list[PrivateKind] = Field(
        default_factory=list,
        max_length=5,
        description="What is replaced in every line: `ip`, `user`, `mac` and `email` by pseudonyms that stay the same "
        "under one key, `secret` (passwords, tokens, keys) by the word SECRET. Nothing by default.",
        json_schema_extra={"default": [], "x-kubernetes-list-type": "set"},
    )
    at: MaskingPlace = Field(
        "Collection",
        description="Where. `Collection`: before a line is kept or sent to Kafka, by everything but a syslog-ng, which "
        "cannot do it. `Detection`: before any model, the store, alerts and the topics of anomalies and dead letters; "
        "the topic of raw logs then holds lines as they came.",
    )
    key_secret_ref: SecretKeyRef | None = Field(
        None,
        description="Secret with the key of the pseudonyms, 16 bytes or more; required with mask. With another key, "
        "everything gets other pseudonyms.",
    )


class StoreSpec(Spec):
    """Where anomalies are kept."""

    database_secret_ref: SecretKeyRef | None = Field(
        None, description="Secret with the database's URI. One machine keeps an SQLite file, or what `--store` names."
    )
    retention: Duration = Field("30d", description="How long anomalies are kept.")


def _all_news() -> list[WebhookNews]:
    return ["Anomalies", "Pipeline", "FailedProcessing"]


class WebhookSpec(Spec):
    """An address that is told by HTTP."""

    name: ListenerName = Field(description="Name of the webhook, for the log.")
    url_secret_ref: SecretKeyRef = Field(
        alias="urlSecretRef", description="Secret with the address. Often it holds a token."
    )
    send: list[WebhookNews] = Field(
        default_factory=_all_news,
        min_length=1,
        max_length=3,
        description="`Anomalies`, grouped by case; `Pipeline`, alerts about the pipeline itself; `FailedProcessing`, "
        "lines that could not be processed, with the cause and a masked sample.",
        json_schema_extra={"default": ["Anomalies", "Pipeline", "FailedProcessing"], "x-kubernetes-list-type": "set"},
    )
    minimum_severity: MinimumSeverity | None = Field(
        None, description="Least severity of anomalies that are told; that of the alerts by default."
    )


class AlertsSpec(Spec):
    """When somebody is told, and where."""

    loss_percent: float = Field(0.1, ge=0.0, le=100.0, description="Alert when more logs than this are lost.")
    latency_seconds: int = Field(10, ge=1, le=86400, description="Alert when a log is judged later than this.")
    alertmanager_url: Url | None = Field(
        None, alias="alertmanagerURL", description="Alertmanager that is told of anomalies."
    )
    minimum_severity: MinimumSeverity = Field("warning", description="Least severity that is told.")
    webhooks: list[WebhookSpec] = Field(
        default_factory=list,
        max_length=8,
        description="Addresses that are told by HTTP. Each message is sent until it is taken, as long as the detector "
        "that found it runs: one that is killed forgets those that wait. Of more than 1,000 the oldest are given up, "
        "as is one that is refused for good, such as with status 400.",
        json_schema_extra={"default": [], "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )


class LogPipelineSpec(Spec):
    """Logs in, anomalies out."""

    collect: CollectSpec = nested(CollectSpec, "Where logs come from.")
    kafka: KafkaSpec | None = Field(
        None, description="The Kafka that carries the logs: required in a cluster, not needed on one machine."
    )
    detect: DetectSpec = Field(description="Which model watches the logs.")
    privacy: PrivacySpec = nested(PrivacySpec, "What nobody shall see.")
    store: StoreSpec = nested(StoreSpec, "Where anomalies are kept.")
    alerts: AlertsSpec = nested(AlertsSpec, "When somebody is told, and where.")


class Traffic(Status):
    """Counts of logs at the ends of the pipeline."""

    received: int = Field(0, ge=0, description="Logs received so far.")
    rejected: int = Field(0, ge=0, description="Logs that could not be processed and lie in the dead-letter topic.")
    anomalies: int = Field(0, ge=0, description="Anomalies found so far.")


PipelinePhase = Literal["Pending", "Ready", "Degraded", "Failed"]


class LogPipelineStatus(ResourceStatus):
    """What the operator reports about a pipeline.

    Conditions: ConfigValid, TopicReady, CollectorReady, DetectorReady, FlowHealthy, Ready.
    """

    phase: PipelinePhase | None = Field(None, description="State of the pipeline, for a table.")
    received: str | None = Field(None, max_length=32, description="Logs received, for a table, such as `12.4k/s`.")
    lag: int | None = Field(None, ge=0, description="Logs that wait in the topic for a detector.")
    traffic: Traffic | None = Field(None, description="Counts of logs at the ends of the pipeline.")
    active_revision: str | None = Field(None, max_length=64, description="Revision with which detectors score.")


def dead_letters_group(consumer_group: str) -> str:
    """Return the consumer group of the tool that reads and replays dead letters, beside that of the detectors."""
    return f"{consumer_group}-deadletters"


class LogPipeline(Resource):
    """A pipeline: sources, Kafka topics, the model that watches, store and alerts."""

    PLURAL: ClassVar = "logpipelines"
    SHORT_NAME: ClassVar = "lpipe"
    PRINTER_COLUMNS: ClassVar = (
        ("Phase", "string", ".status.phase", "State of the pipeline."),
        ("Received", "string", ".status.received", "Logs received."),
        ("Lag", "integer", ".status.lag", "Logs that wait for a detector."),
        ("Age", "date", ".metadata.creationTimestamp", "Time since it was created."),
    )

    kind: Literal["LogPipeline"] = Field(description="Always `LogPipeline`.")
    spec: LogPipelineSpec = Field(description="What is wanted.")
    status: LogPipelineStatus | None = Field(None, description="What is; written by the operator.")

    @property
    def consumer_group(self) -> str:
        """Consumer group of the detectors in Kafka; in a cluster, of this namespace's pipeline alone.

        A slash is in no name of Kubernetes: two pipelines never have the same group.
        """
        namespace = self.metadata.namespace
        return f"logwarden-{self.name}" if namespace is None else f"logwarden-{namespace}/{self.name}"

    def check_masking(self) -> None:
        """Refuse to trust that lines are masked at collection where this pipeline collects none.

        Raises
        ------
        InvalidInputError
            If ``spec.privacy.at`` is Collection, and lines come from elsewhere or from nodes only.
        """
        collect, privacy = self.spec.collect, self.spec.privacy
        if privacy.mask and privacy.at == "Collection" and not collect.http.enabled and not collect.syslog.listeners:
            raise InvalidInputError(
                "spec.privacy.at: found Collection, but nothing in spec.collect masks lines: set Detection, which "
                "masks before any model, or collect by HTTP"
            )

    def kafka_address(self, given: str | None = None) -> str:
        """Return the Kafka that was ``given``, or that of the pipeline.

        Raises
        ------
        InvalidInputError
            If there is neither.
        """
        if given is not None:
            return given
        if self.spec.kafka is None:
            raise InvalidInputError(
                f"LogPipeline {self.name} names no Kafka: add spec.kafka.bootstrapServers, or give "
                "--bootstrap-servers HOST:PORT"
            )
        return self.spec.kafka.address(self.metadata.namespace or "default")
