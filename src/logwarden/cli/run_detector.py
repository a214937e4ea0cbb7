"""``logwarden run detector``: detect what is in the raw topic."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from logwarden.cli.common import data_dir
from logwarden.cli.loading import choose_pipeline

EXAMPLES = """
logwarden run detector -f pipeline.yaml --secrets secrets/ --metrics-port 9090
logwarden run detector -f pipeline.yaml --bootstrap-servers localhost:9092 --store anomalies.db
"""

_MAX_PORT = 65535


def command(
    file: Annotated[Path, typer.Option("--file", "-f", help="YAML file with a LogPipeline and its AnomalyModel.")],
    pipeline: Annotated[
        str | None, typer.Option(help="Name of the pipeline, where the file has several.", show_default=False)
    ] = None,
    secrets: Annotated[
        Path | None,
        typer.Option(help="Folder with the values of Secrets the file names: DIR/NAME/KEY.", show_default=False),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            help="SQLite file or database URL for the results, instead of that of spec.store.", show_default=False
        ),
    ] = None,
    bootstrap_servers: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Kafka, instead of the one in spec.kafka.", show_default=False),
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=_MAX_PORT,
            help="Port for /metrics, /healthz and /readyz; 0 takes a free one. Without it none is served.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Read lines from Kafka, detect, store and publish anomalies, until stopped.

    Several of them share the partitions. Each goes on where the store says, whoever had a partition before.
    """
    chosen = choose_pipeline(file, pipeline)

    from logwarden.local.detecting import DetectorConfig, run
    from logwarden.local.secrets import store_of
    from logwarden.store import default_store_path

    run(
        DetectorConfig(
            pipeline=chosen.pipeline,
            model=chosen.model,
            store=store or store_of(chosen.pipeline, secrets, default_store_path()),
            registry=data_dir() / "models",
            secrets=secrets,
            bootstrap_servers=bootstrap_servers,
            metrics_port=metrics_port,
            say=lambda text: print(text, file=sys.stderr, flush=True),
        )
    )
