"""The collector: a syslog-ng, configured from a LogPipeline, that puts what it receives into the raw topic of Kafka.

Knows the contract and nobody else, because the operator imports it too. See docs/collector.md.
"""

from __future__ import annotations

from logwarden.collector.layout import DEFAULT_LAYOUT, NODE_VARIABLE, Layout
from logwarden.collector.render import NodeLogs, render_syslog_ng
from logwarden.collector.start import check_command, start_command

__all__ = [
    "DEFAULT_LAYOUT",
    "NODE_VARIABLE",
    "Layout",
    "NodeLogs",
    "check_command",
    "render_syslog_ng",
    "start_command",
]
