"""``logwarden collector``: the syslog-ng that puts logs into Kafka."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from logwarden.cli.common import HelpCommand, new_group
from logwarden.cli.running import PipelineOption
from logwarden.errors import InvalidInputError, LogwardenError

if TYPE_CHECKING:
    from logwarden.api.log_pipeline import LogPipeline

EXAMPLES = """
logwarden collector render -f pipeline.yaml --syslog-ng 3.38 > syslog-ng.conf
logwarden collector render -f pipeline.yaml --check
logwarden collector metrics --control /run/syslog-ng/syslog-ng.ctl
"""

app = new_group("Configure and watch the syslog-ng that puts logs into Kafka.", EXAMPLES)


class NodeLogsOption(StrEnum):
    """Where a node's own logs are."""

    JOURNAL = "journal"
    FILES = "files"


_NO_CREDENTIALS = '"sasl.username" => "user"\n"sasl.password" => "none"\n'

RENDER_EXAMPLES = """
logwarden collector render -f pipeline.yaml
logwarden collector render -f pipeline.yaml --syslog-ng 3.38 --check
"""

METRICS_EXAMPLES = """
logwarden collector metrics
logwarden collector metrics -f pipeline.yaml --port 9577 --address 0.0.0.0
"""


@app.command("render", cls=HelpCommand, epilog=RENDER_EXAMPLES)
def render(
    file: Annotated[Path, typer.Option("--file", "-f", help="YAML file with a LogPipeline.")],
    pipeline: PipelineOption = None,
    syslog_ng: Annotated[str, typer.Option("--syslog-ng", help="Version that will read it.")] = "4.8",
    node_logs: Annotated[
        NodeLogsOption, typer.Option(help="Where a node's own logs are, if they are collected.")
    ] = NodeLogsOption.JOURNAL,
    bootstrap_servers: Annotated[
        str | None, typer.Option(help="Addresses of Kafka instead of the pipeline's.", show_default=False)
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Let the syslog-ng on this machine check it, too; needs its certificates.")
    ] = False,
) -> None:
    """Print the syslog-ng configuration of a pipeline's collector."""
    from logwarden.collector import render_syslog_ng

    text = render_syslog_ng(
        _choose(file, pipeline), version=syslog_ng, node_logs=node_logs.value, bootstrap_servers=bootstrap_servers
    )
    if check:
        _check(text)
    print(text, end="")


@app.command("metrics", cls=HelpCommand, epilog=METRICS_EXAMPLES)
def metrics(
    control: Annotated[str, typer.Option(help="Control socket of syslog-ng.")] = "/run/syslog-ng/syslog-ng.ctl",
    file: Annotated[
        Path | None,
        typer.Option(
            "--file", "-f", help="YAML file with the LogPipeline, to count the kernel's drops too.", show_default=False
        ),
    ] = None,
    pipeline: PipelineOption = None,
    address: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 9577,
) -> None:
    """Serve the counters of a running syslog-ng to Prometheus, on /metrics."""
    import sys

    from logwarden.collector.exporter import Exporter, new_server

    listeners = _choose(file, pipeline).spec.collect.syslog.listeners if file is not None else []
    ports = {listener.port: listener.name for listener in listeners if listener.transport == "UDP"}
    try:
        server = new_server(Exporter(control, ports), address, port)
    except OSError as error:
        raise LogwardenError(f"cannot listen on {address}:{port}: {error.strerror}; choose another --port") from error
    print(f"Metrics on http://{address}:{server.server_port}/metrics", file=sys.stderr, flush=True)
    with server:
        server.serve_forever()


def _choose(file: Path, name: str | None) -> LogPipeline:
    from logwarden.api.load import load_resources
    from logwarden.api.log_pipeline import LogPipeline

    found = {one.name: one for one in load_resources(file) if isinstance(one, LogPipeline)}
    names = ", ".join(found) or "none"
    if name is None and len(found) == 1:
        return next(iter(found.values()))
    if name is None:
        raise InvalidInputError(f"{file} has to hold one LogPipeline, or --pipeline names one; there is {names}")
    if name not in found:
        raise InvalidInputError(f"{file} has no LogPipeline {name}; there is {names}")
    return found[name]


def _check(text: str) -> None:
    """Let syslog-ng read the configuration.

    Raises
    ------
    LogwardenError
        With the place of the mistake, or if there is no syslog-ng.
    """
    import shutil
    import subprocess
    import tempfile

    from logwarden.collector.layout import DEFAULT_LAYOUT
    from logwarden.collector.syntax import quoted

    program = shutil.which("syslog-ng") or shutil.which("syslog-ng", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        raise LogwardenError("--check needs syslog-ng on this machine (Debian: syslog-ng-core, syslog-ng-mod-rdkafka)")
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        # What is included is written when a collector starts, from a Secret that is not here.
        file.write(text.replace(f"@include {quoted(DEFAULT_LAYOUT.credentials)}\n", _NO_CREDENTIALS))
        file.flush()
        done = subprocess.run(
            [program, "--syntax-only", "--no-caps", "--cfgfile", file.name], capture_output=True, text=True, check=False
        )
    if done.returncode:
        told = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        place = next((line for line in told if "rror" in line), told[0] if told else "no reason given")
        raise LogwardenError(f"syslog-ng refuses the configuration: {place}")
