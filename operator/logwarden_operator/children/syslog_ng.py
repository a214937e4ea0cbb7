"""The one place that knows how syslog-ng is configured and started: it asks the collector's own package."""

from __future__ import annotations

from pathlib import PurePosixPath

from logwarden.api.log_pipeline import LogPipeline
from logwarden.collector import DEFAULT_LAYOUT, NODE_VARIABLE, check_command, render_syslog_ng, start_command
from logwarden_operator.children.pods import SECRETS_FOLDER
from logwarden_operator.context import Context

_CONFIG = PurePosixPath(DEFAULT_LAYOUT.config)
CONFIG_KEY, CONFIG_FOLDER = _CONFIG.name, str(_CONFIG.parent)
BUFFER_FOLDER, RUN_FOLDER = DEFAULT_LAYOUT.buffer, DEFAULT_LAYOUT.run
NODE_LOGS = {
    "node-logs": DEFAULT_LAYOUT.node_logs,
    "node-journal": "/run/log/journal",
    "machine-id": "/etc/machine-id",
}
"""Folders of the node with its logs, and the file by which a journal is recognized as the node's own."""

assert DEFAULT_LAYOUT.secrets == SECRETS_FOLDER

__all__ = [
    "BUFFER_FOLDER",
    "CONFIG_FOLDER",
    "CONFIG_KEY",
    "NODE_LOGS",
    "NODE_VARIABLE",
    "RUN_FOLDER",
    "check_command",
    "render",
    "start_command",
]


def render(pipeline: LogPipeline, context: Context) -> str:
    """Return the configuration of syslog-ng for a pipeline.

    Raises
    ------
    InvalidInputError
        If the pipeline asks for what syslog-ng cannot do; the message names the field.
    """
    kafka = pipeline.spec.kafka
    servers = None if kafka is None else kafka.address(context.owner.namespace)
    return render_syslog_ng(pipeline, version=context.settings.syslog_ng_version, bootstrap_servers=servers)
