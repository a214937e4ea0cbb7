"""``logwarden upload``: send files to an HTTP endpoint."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from logwarden.cli.common import console, data_dir
from logwarden.errors import InvalidInputError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from logwarden.upload.client import Endpoint
    from logwarden.upload.run import Totals

EXAMPLES = """
logwarden upload '/var/log/archive/*.gz' --url https://logs.example.net:8080 --token-file token
journalctl -o short-iso | logwarden upload - --url http://127.0.0.1:8080
"""


def command(
    inputs: Annotated[list[str], typer.Argument(help="Files (plain or gzip), globs, or - for standard input.")],
    url: Annotated[str, typer.Option(help="Endpoint, such as https://logs.example.net:8080.")],
    token_file: Annotated[
        Path | None, typer.Option(help="File with the bearer token of the endpoint.", show_default=False)
    ] = None,
    ca_file: Annotated[
        Path | None,
        typer.Option(help="Certificate of the authority that the endpoint's is signed by.", show_default=False),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(
            help="File that keeps how far each file was sent. Default: one for each URL in the data folder.",
            show_default=False,
        ),
    ] = None,
    from_start: Annotated[bool, typer.Option("--from-start", help="Send everything again.")] = False,
    patience: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Give up when nothing was taken for so long.")
    ] = 300.0,
) -> None:
    """Send log files to an HTTP endpoint: lines are there when it says so.

    After a break start the same command again: it goes on behind what was acknowledged.
    """
    from logwarden.sources.files import expand
    from logwarden.upload.client import Client, Endpoint, endpoint_url
    from logwarden.upload.run import Upload
    from logwarden.upload.state import State

    paths = expand(inputs)
    endpoint = Endpoint(endpoint_url(url), _token(token_file), ca_file, patience)
    with (
        closing(State(state or _state_file(endpoint))) as kept,
        _bar(paths) as bar,
        closing(Client(endpoint, bar.note)) as client,
    ):
        upload = Upload(client, kept, from_start=from_start, advance=bar.advance)
        problems = upload.send_all(paths)
    console().print(_summary(upload.totals, endpoint.url), markup=False, soft_wrap=True)
    if problems:
        raise InvalidInputError("; ".join(problems))


def _token(file: Path | None) -> str:
    if file is None:
        return ""
    try:
        token = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise InvalidInputError(f"--token-file {file} cannot be read: {reason}") from None
    if not token.isascii() or len(token.split()) != 1:
        raise InvalidInputError(f"--token-file {file}: expected one token, and nothing else")
    return token


def _state_file(endpoint: Endpoint) -> Path:
    name = hashlib.sha256(endpoint.url.encode()).hexdigest()[:16]
    return data_dir() / "uploads" / f"{name}.json"


def _summary(totals: Totals, url: str) -> str:
    files = "1 file" if totals.files == 1 else f"{totals.files:,} files"
    text = f"{totals.accepted:,} lines of {files} are at {url}."
    if totals.rejected:
        text += f" {totals.rejected:,} lines more could not be read and are kept there with the reason."
    if totals.skipped:
        text += f" {totals.skipped:,} bytes had been sent before."
    return text


class _Bar:
    """A progress bar of bytes, and a note beside it; nothing where standard error is no terminal."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def advance(self, count: int) -> None:
        self._progress.advance(self._task, count)

    def note(self, text: str) -> None:
        self._progress.update(self._task, note=text)


@contextmanager
def _bar(paths: list[str]) -> Iterator[_Bar]:
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    screen = console()
    columns = (BarColumn(), DownloadColumn(), TimeRemainingColumn(), TextColumn("{task.fields[note]}", markup=False))
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as progress:
        total = None if "-" in paths else sum(Path(path).stat().st_size for path in paths)
        yield _Bar(progress, progress.add_task("upload", total=total, note=""))
