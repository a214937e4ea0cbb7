"""Pipelines whose collectors are tested."""

from __future__ import annotations

from typing import Any

from logwarden.api.log_pipeline import LogPipeline


def pipeline(
    *,
    listeners: list[dict[str, Any]] | None = None,
    kafka: dict[str, Any] | None = {"bootstrapServers": "kafka-1:9092,kafka-2:9092"},  # noqa: B006 never changed
    nodes: bool = False,
    buffer: dict[str, Any] | None = None,
) -> LogPipeline:
    """Return a pipeline as a user would write it."""
    collect: dict[str, Any] = {"nodes": nodes, "syslog": {"listeners": listeners or []}, "buffer": buffer or {}}
    spec: dict[str, Any] = {"collect": collect, "detect": {"modelRef": {"name": "campus"}}}
    if kafka is not None:
        spec["kafka"] = kafka
    return LogPipeline.model_validate(
        {
            "apiVersion": "logwarden.dev/v1alpha1",
            "kind": "LogPipeline",
            "metadata": {"name": "campus", "namespace": "logs"},
            "spec": spec,
        }
    )


EVERYTHING = pipeline(
    nodes=True,
    listeners=[
        {"name": "udp"},
        {"name": "tcp", "transport": "TCP"},
        {"name": "octets", "transport": "TCP", "port": 6601, "framing": "OctetCounted"},
        {"name": "lines", "transport": "TCP", "port": 6602, "framing": "Newline"},
        {"name": "tls", "transport": "TLS", "port": 6514, "tlsSecretRef": {"name": "syslog-tls"}},
        {
            "name": "tls-lines",
            "transport": "TLS",
            "port": 6515,
            "framing": "Newline",
            "tlsSecretRef": {"name": "syslog-tls"},
            "clientAuth": "Optional",
        },
        {
            "name": "mutual",
            "transport": "TLS",
            "port": 6516,
            "tlsSecretRef": {"name": "syslog-tls"},
            "clientAuth": "Required",
        },
    ],
    kafka={
        "strimzi": {"cluster": "main", "namespace": "kafka"},
        "topic": {"name": "netlogs-raw"},
        "tls": {
            "caSecretRef": {"name": "main-cluster-ca-cert", "key": "ca.crt"},
            "certificateSecretRef": {"name": "kafka-tls"},
        },
        "sasl": {"credentialsSecretRef": {"name": "kafka-user"}},
    },
)

PIPELINES = {
    "udp": pipeline(listeners=[{"name": "udp", "port": 514}], buffer={"size": "20Gi"}),
    "nodes-files": pipeline(nodes=True),
    "everything": EVERYTHING,
}
