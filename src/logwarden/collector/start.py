"""The commands that check a collector's configuration and start it."""

from __future__ import annotations

import shlex
from typing import Final

from logwarden.api.log_pipeline import LogPipeline
from logwarden.collector.layout import DEFAULT_LAYOUT, Layout

# As in logwarden.collector.syntax.quoted. A Secret's file may end with a line feed, its value does not.
_ESCAPE: Final = r"""tr -d '\000-\037' <"$1" | sed -e 's/[\\"]/\\&/g' -e 's/`/``/g'"""


def start_command(pipeline: LogPipeline, layout: Layout = DEFAULT_LAYOUT) -> list[str]:
    """Return the command that runs a collector in the foreground; it logs to standard error.

    No secret is an argument. Allow 90 seconds for a shutdown: leaving a transaction of Kafka can take that long.
    """
    return _with_credentials(
        pipeline,
        layout,
        [
            *("syslog-ng", "--foreground", "--stderr", "--no-caps"),
            *("--cfgfile", layout.config),
            *("--persist-file", layout.persist),
            *("--control", layout.control),
            *("--pidfile", f"{layout.run}/syslog-ng.pid"),
        ],
    )


def check_command(pipeline: LogPipeline, layout: Layout = DEFAULT_LAYOUT) -> list[str]:
    """Return the command that checks a configuration: exit code 0, or the place of the mistake on standard error."""
    return _with_credentials(pipeline, layout, ["syslog-ng", "--syntax-only", "--no-caps", "--cfgfile", layout.config])


def _with_credentials(pipeline: LogPipeline, layout: Layout, command: list[str]) -> list[str]:
    """Let a shell write user and password for Kafka where the configuration includes them, if there are any."""
    kafka = pipeline.spec.kafka
    if kafka is None or kafka.sasl is None:
        return command
    secret = kafka.sasl.credentials_secret_ref.name
    file = shlex.quote(layout.credentials)
    user, password = (shlex.quote(layout.secret(secret, key)) for key in ("username", "password"))
    script = (
        "set -eu; umask 077; "
        f"value() {{ {_ESCAPE}; }}; "
        f"for file in {user} {password}; do "
        'test -r "$file" || { echo "logwarden: cannot read $file: give the Secret that key" >&2; exit 1; }; done; '
        f'printf \'"sasl.username" => "%s"\\n"sasl.password" => "%s"\\n\' "$(value {user})" "$(value {password})" '
        f">{file}; "
        f"exec {shlex.join(command)}"
    )
    return ["sh", "-c", script]
