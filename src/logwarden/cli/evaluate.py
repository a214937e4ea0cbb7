"""``logwarden evaluate``: measure a model on labelled logs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from logwarden.cli.common import DataFormat, console

if TYPE_CHECKING:
    from rich.table import Table

EXAMPLES = """
logwarden evaluate --model builtin --data lab --format lab --report report.json
logwarden evaluate --model active --data /srv/recordings
"""


def command(
    model: Annotated[str, typer.Option(help="Model revision: builtin, active, an id, a path or a URI.")] = "builtin",
    data: Annotated[
        str,
        typer.Option(
            help="Recordings of the lab (lab: those of the repository), or a file, glob or folder of another format."
        ),
    ] = "lab",
    data_format: Annotated[DataFormat, typer.Option("--format", help="Format of the data.")] = DataFormat.LAB,
    report: Annotated[Path | None, typer.Option(help="Write the metrics as JSON.")] = None,
) -> None:
    """Measure a model on labelled logs beside trivial baselines.

    A fault counts as found when an anomaly is reported on one of its hosts between its start and its recovery.
    Baselines are fitted on the training part; all thresholds come from the validation part; the table shows the test
    part.
    """
    from logwarden.cli.loading import load_model
    from logwarden.datasets import PARTS, load_dataset
    from logwarden.evaluation import evaluate
    from logwarden.evaluation.units import cut

    dataset = load_dataset(data, data_format.value)
    loaded = load_model(model)
    with console().status("evaluating"):
        result = evaluate(loaded, *(cut(loaded, dataset.part(name)) for name in PARTS))
    result["format"] = dataset.format
    if report is not None:
        report.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    screen = console(stderr=False)
    screen.print(_table(result))
    if (share := result["explanations"]["by_model"]) is not None:
        screen.print(f"{result['explanations']['records']} anomalies; the model explains {share:.0%} in its own words")
    if note := result["incident"].get("note"):
        screen.print(f"{note}; reported: {result['incident']['reports']}", markup=False)


def _table(result: dict[str, Any]) -> Table:
    from rich.table import Table

    table = Table(title=f"Test part: {', '.join(result['split']['test'])}")
    table.add_column("detector", no_wrap=True)
    for column in ("F1", "precision", "recall", "recall, unseen kinds", "false alarms/day", "seconds to detection"):
        table.add_column(column, justify="right")
    rows = [("logwarden", result["incident"])]
    rows += [(f"  {name}", one["incident"]) for name, one in result["ablations"].items()]
    rows += [(f"  {name} alone", one["incident"]) for name, one in result["channels"].items()]
    rows += [(f"baseline: {one['name']}", one["incident"]) for one in result["baselines"]]
    for name, incident in rows:
        table.add_row(name, *(_number(incident[key]) for key in _COLUMNS))
    return table


_COLUMNS = ("f1", "precision", "recall", "unseen_recall", "false_alarms_per_day", "median_seconds_to_detection")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
