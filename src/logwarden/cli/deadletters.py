"""``logwarden deadletters``: what could not be processed, in the dead-letter topic of a pipeline."""

from __future__ import annotations

import json
from enum import StrEnum
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from logwarden.cli.common import CONTEXT_SETTINGS, HelpCommand, console, new_group
from logwarden.cli.loading import choose_pipeline
from logwarden.cli.results import local_time, printable
from logwarden.cli.running import BootstrapServersOption, FileOption, PipelineOption, SecretsOption
from logwarden.errors import InvalidInputError

if TYPE_CHECKING:
    from logwarden.kafka.deadletters import DeadLetter
    from logwarden.kafka.settings import KafkaSettings

app = new_group(
    "List, show and replay what a pipeline on Kafka could not process.",
    """
    logwarden deadletters list -f pipeline.yaml
    logwarden deadletters show -f pipeline.yaml netlogs-raw/0/4711
    logwarden deadletters replay -f pipeline.yaml --all
    """,
)

_WIDTH_OF_A_FILE = 200
_SHOWN_OF_A_LINE = 80


class Format(StrEnum):
    """How dead letters are written."""

    TABLE = "table"
    NDJSON = "ndjson"


IdArgument = Annotated[
    str, typer.Argument(metavar="ID", help="Origin as 'list' shows it: TOPIC/PARTITION/OFFSET, or PARTITION/OFFSET.")
]


def _settings(file: Path, pipeline: str | None, secrets: Path | None, servers: str | None) -> KafkaSettings:
    from logwarden.kafka.settings import settings_of
    from logwarden.local.secrets import read_secret

    chosen = choose_pipeline(file, pipeline)
    return settings_of(chosen.pipeline, partial(read_secret, secrets), bootstrap_servers=servers)


@app.command(
    "list",
    cls=HelpCommand,
    context_settings=CONTEXT_SETTINGS,
    epilog="""
    logwarden deadletters list -f pipeline.yaml
    logwarden deadletters list -f pipeline.yaml --format ndjson | jq -r .error | sort | uniq -c
    """,
)
def list_letters(
    file: FileOption,
    pipeline: PipelineOption = None,
    secrets: SecretsOption = None,
    bootstrap_servers: BootstrapServersOption = None,
    limit: Annotated[int, typer.Option(min=1, help="List at most this many, the oldest.")] = 100,
    output_format: Annotated[
        Format, typer.Option("--format", help="A table, or one JSON object a line.")
    ] = Format.TABLE,
) -> None:
    """List dead letters with the reason, oldest first."""
    from logwarden.kafka.deadletters import distinct, read_dead_letters

    found = read_dead_letters(_settings(file, pipeline, secrets, bootstrap_servers))
    letters = list(islice(distinct(found), limit))
    if output_format is Format.NDJSON:
        for letter in letters:
            print(json.dumps(_fields(letter), ensure_ascii=False))
    elif letters:
        _print_table(letters)
    else:
        print("No dead letters.")


@app.command(
    "show",
    cls=HelpCommand,
    context_settings=CONTEXT_SETTINGS,
    epilog="""
    logwarden deadletters show -f pipeline.yaml netlogs-raw/0/4711
    """,
)
def show(
    letter_id: IdArgument,
    file: FileOption,
    pipeline: PipelineOption = None,
    secrets: SecretsOption = None,
    bootstrap_servers: BootstrapServersOption = None,
) -> None:
    """Show one dead letter in full, as JSON."""
    from logwarden.kafka.deadletters import find, read_dead_letters

    letter = find(read_dead_letters(_settings(file, pipeline, secrets, bootstrap_servers)), letter_id)
    value = (letter.value or b"").decode("utf-8", "backslashreplace")
    print(json.dumps({**_fields(letter), "value": value}, indent=2, ensure_ascii=False))


@app.command(
    "replay",
    cls=HelpCommand,
    context_settings=CONTEXT_SETTINGS,
    epilog="""
    logwarden deadletters replay -f pipeline.yaml netlogs-raw/0/4711
    logwarden deadletters replay -f pipeline.yaml --all
    """,
)
def replay_letters(
    file: FileOption,
    letter_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Origins as 'list' shows them.", show_default=False)
    ] = None,
    pipeline: PipelineOption = None,
    secrets: SecretsOption = None,
    bootstrap_servers: BootstrapServersOption = None,
    everything: Annotated[bool, typer.Option("--all", help="All that were not replayed by --all before.")] = False,
) -> None:
    """Send dead letters to the raw topic once more, as they were.

    What still cannot be processed becomes a dead letter again.
    """
    if everything == bool(letter_ids):
        raise InvalidInputError("deadletters replay: give either ids or --all")
    from logwarden.kafka.deadletters import distinct, find, mark_replayed, read_dead_letters, replay

    settings = _settings(file, pipeline, secrets, bootstrap_servers)
    letters = list(read_dead_letters(settings, unreplayed=everything))
    chosen = distinct(letters) if everything else [find(letters, letter_id) for letter_id in letter_ids or ()]
    count = replay(settings, chosen)
    if everything and letters:
        mark_replayed(settings, letters)
    print(f"{count} {'message' if count == 1 else 'messages'} sent to {settings.topic.name} once more.")


def _fields(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "time": letter.time.isoformat(),
        "error": letter.error,
        "key": (letter.key or b"").decode("utf-8", "backslashreplace"),
        "text": letter.text,
    }


def _print_table(letters: list[DeadLetter]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    out = console(stderr=False)
    if not out.is_terminal:
        out.width = _WIDTH_OF_A_FILE
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("Id", "Written", "Error", "Text"):
        table.add_column(name, no_wrap=name != "Error", overflow="ellipsis" if name == "Text" else "fold")
    for letter in letters:
        cells = (letter.id, local_time(letter.time), letter.error, letter.text[:_SHOWN_OF_A_LINE])
        table.add_row(*(Text(printable(cell)) for cell in cells))
    out.print(table)
