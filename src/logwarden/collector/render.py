"""The configuration of syslog-ng for a LogPipeline."""

from __future__ import annotations

from typing import Literal

from logwarden.api.log_pipeline import LogPipeline
from logwarden.collector.destination import destination
from logwarden.collector.envelope import ENVELOPE
from logwarden.collector.layout import DEFAULT_LAYOUT, Layout
from logwarden.collector.listeners import listener
from logwarden.collector.nodes import node_source
from logwarden.collector.syntax import version_of
from logwarden.errors import InvalidInputError

NodeLogs = Literal["journal", "files"]

MAX_MESSAGE_BYTES = 256 * 1024
"""A longer message is cut into pieces of this size. Escaped in JSON, one has to fit into a message of Kafka (1 MB)."""

_MAX_SENDERS = 10_000
_STATS_BLOCK = (4, 1)


def render_syslog_ng(
    pipeline: LogPipeline,
    *,
    version: str = "4.8",
    node_logs: NodeLogs = "journal",
    layout: Layout = DEFAULT_LAYOUT,
    bootstrap_servers: str | None = None,
    bind: str = "0.0.0.0",  # noqa: S104 in a pod, the Service and network policies decide who may send
) -> str:
    """Return the configuration of a pipeline's collector.

    Every message becomes an envelope (docs/kafka.md) with the raw bytes, the sender's address, the listener and the
    time it was received. The key is the sender's address, so that what a device says stays in one partition, in order.

    Parameters
    ----------
    pipeline
        What is collected, and which Kafka it goes to. Values of Secrets are not part of the configuration.
    version
        The syslog-ng that will read it, such as ``3.38`` or ``4.8``.
    node_logs
        Where a node's own logs are, when ``collect.nodes`` asks for them: its journal, or ``syslog`` and ``messages``
        in the folder of its logs.
    layout
        Where files are.
    bootstrap_servers
        Addresses of Kafka instead of the pipeline's own.
    bind
        Address of all listeners; ``::`` is IPv6 and IPv4. The listeners' own addresses are those of ``logwarden up``.

    Raises
    ------
    InvalidInputError
        If the pipeline has no Kafka or nothing to collect, wants masked what no syslog-ng masks, or the version is too
        old.
    """
    number = version_of(version)
    collect = pipeline.spec.collect
    if not collect.nodes and not collect.syslog.listeners:
        raise InvalidInputError(
            f"LogPipeline {pipeline.name} collects no syslog: add spec.collect.syslog.listeners, or set "
            "spec.collect.nodes to true"
        )
    if pipeline.spec.privacy.mask and pipeline.spec.privacy.at == "Collection":
        raise InvalidInputError(
            "spec.privacy.at: found Collection, which a syslog-ng cannot do: set Detection, which masks before any "
            "model, and leaves lines as they came in the topic of raw logs alone; or collect by HTTP only"
        )
    sources = [listener(spec, layout, number, bind) for spec in collect.syslog.listeners]
    if collect.nodes:
        sources.append(node_source(node_logs, layout))
    parts = [
        _options(number),
        ENVELOPE,
        destination(pipeline, layout, number, bootstrap_servers),
        *(source.text for source in sources),
        *(source.path for source in sources),
    ]
    return f"@version: {number[0]}.{number[1]}\n# Written by Logwarden; changes made here are lost.\n\n" + "\n".join(
        parts
    )


def _options(version: tuple[int, int]) -> str:
    counters = (
        f"stats(level(2) freq(0) max-dynamics({_MAX_SENDERS}));"
        if version >= _STATS_BLOCK
        else f"stats-level(2); stats-freq(0); stats-max-dynamics({_MAX_SENDERS});"
    )
    return f"""\
options {{
    # Neither a resolver nor what a message says about its host decides what we take for its sender.
    use-dns(no); dns-cache(no); keep-hostname(no); chain-hostnames(no);
    log-msg-size({MAX_MESSAGE_BYTES}); time-zone("UTC"); on-error("fallback-to-string");
    # Counters for each source and each sender.
    {counters}
}};
"""
