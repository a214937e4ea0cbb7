"""``logwarden run detector``: detect what is in the raw topic."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from logwarden.cli.common import data_dir
from logwarden.cli.loading import choose_pipeline
from logwarden.cli.running import (
    BootstrapServersOption,
    FileOption,
    MetricsPortOption,
    PipelineOption,
    SecretsOption,
)

EXAMPLES = """
logwarden run detector -f pipeline.yaml --secrets secrets/ --metrics-port 9090
logwarden run detector -f pipeline.yaml --bootstrap-servers localhost:9092 --store anomalies.db
"""


class Device(StrEnum):
    """Where torch computes."""

    CPU = "cpu"
    CUDA = "cuda"


def command(
    file: FileOption,
    pipeline: PipelineOption = None,
    secrets: SecretsOption = None,
    store: Annotated[
        str | None,
        typer.Option(
            help="SQLite file or database URL for the results, instead of that of spec.store.", show_default=False
        ),
    ] = None,
    bootstrap_servers: BootstrapServersOption = None,
    metrics_port: MetricsPortOption = None,
    device: Annotated[
        Device | None,
        typer.Option(
            help="Compute the language model with torch (extra train) on this device.",
            show_default="onnxruntime on the CPU",
        ),
    ] = None,
) -> None:
    """Read lines from Kafka, detect, store and publish anomalies, until stopped.

    Several of them share the partitions. Each goes on where the store says, whoever had a partition before.
    """
    chosen = choose_pipeline(file, pipeline)

    from logwarden.local.detecting import DetectorConfig, run
    from logwarden.local.revision import registry_of
    from logwarden.local.secrets import store_of
    from logwarden.store import default_store_path

    run(
        DetectorConfig(
            pipeline=chosen.pipeline,
            model=chosen.model,
            store=store or store_of(chosen.pipeline, secrets, default_store_path()),
            registry=registry_of(chosen.model, data_dir() / "models"),
            secrets=secrets,
            bootstrap_servers=bootstrap_servers,
            metrics_port=metrics_port,
            device=device.value if device else None,
            say=lambda text: print(text, file=sys.stderr, flush=True),
        )
    )
