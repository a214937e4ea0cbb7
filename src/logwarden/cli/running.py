"""Options of the commands that work on one pipeline of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

MAX_PORT: Final = 65535

FileOption = Annotated[Path, typer.Option("--file", "-f", help="YAML file with a LogPipeline and its AnomalyModel.")]
PipelineOption = Annotated[
    str | None, typer.Option("--pipeline", help="Name of the pipeline, where the file has several.", show_default=False)
]
SecretsOption = Annotated[
    Path | None,
    typer.Option(
        "--secrets", help="Folder with the values of Secrets the file names: DIR/NAME/KEY.", show_default=False
    ),
]
BootstrapServersOption = Annotated[
    str | None,
    typer.Option(
        "--bootstrap-servers", metavar="HOST:PORT", help="Kafka, instead of the one in spec.kafka.", show_default=False
    ),
]
MetricsPortOption = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=MAX_PORT,
        help="Port for /metrics, /healthz and /readyz; 0 takes a free one. Without it none is served.",
        show_default=False,
    ),
]
