"""``logwarden run ingest``: take lines by HTTP and hand them to Kafka."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from logwarden.cli.loading import choose_pipeline
from logwarden.cli.running import (
    MAX_PORT,
    BootstrapServersOption,
    FileOption,
    MetricsPortOption,
    PipelineOption,
    SecretsOption,
)

EXAMPLES = """
logwarden run ingest -f pipeline.yaml --secrets secrets/ --metrics-port 9090
logwarden run ingest -f pipeline.yaml --bootstrap-servers localhost:9092 --host 127.0.0.1 --anonymous
"""


def command(
    file: FileOption,
    pipeline: PipelineOption = None,
    secrets: SecretsOption = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "0.0.0.0",  # noqa: S104 - with tokens
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=MAX_PORT,
            help="Port to listen on, instead of spec.collect.http.port; 0 takes a free one.",
            show_default=False,
        ),
    ] = None,
    bootstrap_servers: BootstrapServersOption = None,
    metrics_port: MetricsPortOption = None,
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
