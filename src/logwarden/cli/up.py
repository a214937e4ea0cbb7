"""``logwarden up``: run a pipeline on this machine."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Annotated

import typer

from logwarden.cli.common import data_dir as default_data_dir
from logwarden.cli.loading import choose_pipeline
from logwarden.cli.running import MAX_PORT, PipelineOption, SecretsOption
from logwarden.errors import InvalidInputError

EXAMPLES = """
logwarden up -f examples/quickstart.yaml
logwarden up -f pipeline.yaml --check
logwarden up -f pipeline.yaml --host 0.0.0.0 --port udp=15514 --port dashboard=8600
logwarden up -f examples/quickstart.yaml --replay lab/recordings/test-11 --speed 60
logwarden up -f examples/quickstart.yaml --bootstrap-servers localhost:9092
"""


def command(
    file: Annotated[Path, typer.Option("--file", "-f", help="YAML file with a LogPipeline and its AnomalyModel.")],
    pipeline: PipelineOption = None,
    check: Annotated[bool, typer.Option("--check", help="Only check the file, start nothing.")] = False,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the spool and, when given, for the store too.",
            show_default="~/.local/share/logwarden",
        ),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            help="SQLite file or database URL for the results.",
            show_default="logwarden.db in --data-dir, else in ~/.local/state/logwarden",
        ),
    ] = None,
    secrets: SecretsOption = None,
    host: Annotated[
        str | None,
        typer.Option(
            help="Bind everything to this address; 0.0.0.0 lets other machines in, to the pages too.",
            show_default=False,
        ),
    ] = None,
    port: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=PORT",
            help="Other port for a listener, for http or for dashboard; 0 takes a free one. May be repeated.",
            show_default=False,
        ),
    ] = None,
    replay: Annotated[
        Path | None, typer.Option(help="Recording to send through a syslog listener first.", show_default=False)
    ] = None,
    speed: Annotated[str, typer.Option(help="Recorded seconds replayed per second, or max.")] = "20",
    exit_after_replay: Annotated[
        bool, typer.Option("--exit-after-replay", "--once", help="Stop when the recording has been judged.")
    ] = False,
    bootstrap_servers: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Kafka that listeners write to and the detector reads from, instead of a file.",
            show_default=False,
        ),
    ] = None,
    no_dashboard: Annotated[bool, typer.Option("--no-dashboard", help="Start without the pages.")] = False,
) -> None:
    """Run a pipeline on this machine: listeners, detector, store and dashboard.

    Needs no broker, cluster or GPU. Goes on where it stopped, also after a crash.
    """
    ports = _ports(port or [])
    factor = _speed(speed)
    if exit_after_replay and replay is None:
        raise InvalidInputError("--exit-after-replay needs --replay RECORDING")
    chosen = choose_pipeline(file, pipeline)

    from logwarden.local.unused import unused_fields

    unused = unused_fields(
        chosen.pipeline, chosen.model, kafka=bootstrap_servers is not None, with_secrets=secrets is not None
    )
    if check:
        print(f"{file}: OK, LogPipeline {chosen.pipeline.name} with AnomalyModel {chosen.model.name}")
    if unused:
        print(unused, file=sys.stdout if check else sys.stderr)
    if check:
        return

    from logwarden.dashboard import launch
    from logwarden.local.revision import registry_of
    from logwarden.local.secrets import store_of
    from logwarden.local.up import UpConfig, run
    from logwarden.store import default_store_path

    folder = data_dir or default_data_dir()
    own_store = folder / "logwarden.db" if data_dir is not None else default_store_path()
    run(
        UpConfig(
            pipeline=chosen.pipeline,
            model=chosen.model,
            data_dir=folder,
            store=store or (own_store if secrets is None else store_of(chosen.pipeline, secrets, own_store)),
            registry=registry_of(chosen.model, default_data_dir() / "models"),
            secrets=secrets,
            host=host,
            ports=ports,
            replay=replay,
            speed=factor,
            exit_after_replay=exit_after_replay,
            bootstrap_servers=bootstrap_servers,
            launch=None if no_dashboard else launch,
            say=lambda text: print(text, file=sys.stderr, flush=True),
        )
    )


def _ports(options: list[str]) -> dict[str, int]:
    ports = {}
    for option in options:
        name, _, number = option.partition("=")
        if not name or not number.isdecimal() or int(number) > MAX_PORT:
            raise InvalidInputError(f"--port {option}: expected NAME=PORT with a port from 0 to {MAX_PORT}")
        ports[name] = int(number)
    return ports


def _speed(text: str) -> float:
    try:
        factor = math.inf if text == "max" else float(text)
    except ValueError:
        factor = math.nan
    if not factor > 0:
        raise InvalidInputError(f"--speed {text}: expected a number above 0 such as 20, or max")
    return factor
