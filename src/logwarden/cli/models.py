"""``logwarden models``: list, show, promote and roll back model revisions."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from logwarden.cli.common import CONTEXT_SETTINGS, HelpCommand, data_dir, new_group
from logwarden.errors import InvalidInputError

if TYPE_CHECKING:
    from logwarden.api.manifest import RevisionManifest
    from logwarden.revisions import Entry, Registry

app = new_group(
    "List, show, promote and roll back model revisions.",
    """
    logwarden models list
    logwarden models show builtin
    logwarden models promote 3f9ac01b77de
    logwarden models rollback
    """,
)


class OutputFormat(StrEnum):
    """How a result is written."""

    TABLE = "table"
    JSON = "json"


RootOption = Annotated[
    str | None,
    typer.Option(
        "--root",
        metavar="PATH|URI",
        help="Folder of revisions, or its s3:// URI; 'models' in the data folder by default.",
        show_default=False,
    ),
]
FormatOption = Annotated[OutputFormat, typer.Option("--format", help="How to write the result.")]


def _registry(root: str | None) -> Registry:
    from logwarden.revisions import Registry, registry_at

    if (found := registry_at(root)) is not None:
        return found
    if root is not None and "://" in root:
        raise InvalidInputError(f"--root {root}: a folder, or a URI with file:// or s3://, is expected")
    return Registry(Path(root).expanduser() if root else data_dir() / "models")


@app.command(
    "list",
    cls=HelpCommand,
    context_settings=CONTEXT_SETTINGS,
    epilog="""
    logwarden models list
    logwarden models list --format json
    """,
)
def list_revisions(root: RootOption = None, output: FormatOption = OutputFormat.TABLE) -> None:
    """List the revisions of a registry, newest first. The active one is marked."""
    registry = _registry(root)
    entries = registry.entries()
    if output is OutputFormat.JSON:
        print(json.dumps([_row(entry) for entry in entries], indent=2))
    elif entries:
        _print_table(entries)
    else:
        print(f"No revisions in {registry} yet: the packaged model, builtin, is used. 'logwarden train' makes one.")


def _row(entry: Entry) -> dict[str, Any]:
    manifest = entry.manifest
    if manifest is None:
        return {"id": entry.id, "active": entry.active, "problem": entry.problem}
    return {
        "id": entry.id,
        "active": entry.active,
        "created": manifest.created.isoformat(timespec="seconds"),
        "name": manifest.name,
        "family": manifest.base.family,
        "base": manifest.base.model,
        "unit": manifest.unit.kind.value,
        "threshold": manifest.threshold.value,
        "f1": _f1(manifest),
        "bytes": manifest.size,
    }


def _f1(manifest: RevisionManifest) -> float | None:
    """Return the F1 of a revision's ensemble, at incident level where it was measured, else at unit level."""
    for level in ("incident", "unit"):
        measured = manifest.metrics.get(level)
        if isinstance(measured, dict) and isinstance(value := measured.get("f1"), int | float):
            return float(value)
    return None


def _print_table(entries: list[Entry]) -> None:
    rows = [["", "ID", "CREATED", "BASE", "UNIT", "F1", "THRESHOLD", "SIZE"]]
    for entry in entries:
        cells = ["unusable"] if entry.manifest is None else _cells(entry.manifest)
        rows.append(["*" if entry.active else "", entry.id, *cells])
    widths = [max(map(len, column)) for column in zip_longest(*rows, fillvalue="")]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip())
    for entry in entries:
        if entry.problem is not None:
            print(f"{entry.id} is unusable: {entry.problem}", file=sys.stderr)


def _cells(manifest: RevisionManifest) -> list[str]:
    f1 = _f1(manifest)
    return [
        manifest.created.strftime("%Y-%m-%d %H:%M"),
        f"{manifest.base.family} {manifest.base.model}",
        manifest.unit.kind.value,
        "-" if f1 is None else f"{f1:.3f}",
        f"{manifest.threshold.value:.3f}",
        f"{manifest.size / 1e6:.1f} MB",
    ]


@app.command(
    "show",
    cls=HelpCommand,
    context_settings=CONTEXT_SETTINGS,
    epilog="""
    logwarden models show builtin
    logwarden models show active
    logwarden models show 3f9a
    logwarden models show s3://models/campus/3f9ac01b77de
    """,
)
def show(
    ref: Annotated[str, typer.Argument(help="builtin, active, latest, an id or its beginning, a folder or a URI.")],
    root: RootOption = None,
) -> None:
    """Show a revision's manifest as JSON.

    All its files are checked first.
    """
    from logwarden.revisions import open_revision

    revision = open_revision(ref, registry=_registry(root), verify=True)
    print(json.dumps(revision.manifest.model_dump(mode="json", by_alias=True), indent=2, ensure_ascii=False))


@app.command(
    "promote",
    cls=HelpCommand,
    context_settings=CONTEXT_SETTINGS,
    epilog="""
    logwarden models promote latest
    logwarden models promote 3f9ac01b77de
    """,
)
def promote(
    ref: Annotated[str, typer.Argument(help="latest, or an id or its beginning.")], root: RootOption = None
) -> None:
    """Make a revision the active one. Running detectors take it over without a restart."""
    revision = _registry(root).promote(ref)
    print(f"active: {revision.id}")


@app.command(
    "rollback",
    cls=HelpCommand,
    context_settings=CONTEXT_SETTINGS,
    epilog="""
    logwarden models rollback
    """,
)
def rollback(root: RootOption = None) -> None:
    """Make the revision active again that was active before."""
    revision = _registry(root).rollback()
    print(f"active: {revision.id}")
