"""The one place that knows how syslog-ng is configured and started."""

from __future__ import annotations

from logwarden.api.log_pipeline import LogPipeline
from logwarden_operator.context import Context

CONFIG_FOLDER = "/etc/logwarden"
BUFFER_FOLDER = "/var/lib/syslog-ng"
NODE_LOGS = {"node-logs": "/var/log", "node-journal": "/run/log/journal"}

_CONFIG = f"{CONFIG_FOLDER}/syslog-ng.conf"
COMMAND = [
    "syslog-ng", "--foreground", "--no-caps", "--cfgfile", _CONFIG,
    "--persist-file", f"{BUFFER_FOLDER}/syslog-ng.persist",
    "--control", "/run/syslog-ng/syslog-ng.ctl",
    "--pidfile", "/run/syslog-ng/syslog-ng.pid",
]  # fmt: skip
SYNTAX_CHECK = ["syslog-ng", "--syntax-only", "--no-caps", "--cfgfile", _CONFIG]


def render(pipeline: LogPipeline, context: Context) -> str:
    """Return the configuration of syslog-ng for a pipeline."""
    from logwarden.collector import render_syslog_ng

    return render_syslog_ng(pipeline, version=context.settings.syslog_ng_version)
