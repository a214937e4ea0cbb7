"""``logwarden run ingest``: take lines by HTTP and hand them to Kafka."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from logwarden.cli.loading import choose_pipeline

EXAMPLES = """
logwarden run ingest -f pipeline.yaml --secrets secrets/ --metrics-port 9090
logwarden run ingest -f pipeline.yaml --bootstrap-servers localhost:9092 --host 127.0.0.1 --anonymous
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
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "0.0.0.0",  # noqa: S104 - with tokens
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=_MAX_PORT,
            help="Port to listen on, instead of spec.collect.http.port; 0 takes a free one.",
            show_default=False,
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
    anonymous: Annotated[
        bool, typer.Option("--anonymous", help="Let anyone send, where the pipeline names no tokenSecretRef.")
    ] = False,
) -> None:
    """Take lines by HTTP and hand them to Kafka, until stopped.

    A sender is told of success when Kafka has its lines. Kafka may be away: senders are told to come again.
    """
    chosen = choose_pipeline(file, pipeline)

    from logwarden.local.ingesting import IngestConfig, run

    run(
        IngestConfig(
            pipeline=chosen.pipeline,
            say=lambda text: print(text, file=sys.stderr, flush=True),
            host=host,
            port=port,
            anonymous=anonymous,
            secrets=secrets,
            bootstrap_servers=bootstrap_servers,
            metrics_port=metrics_port,
        )
    )
