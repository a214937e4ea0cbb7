"""What every command shares: help layout, messages, colours and logging."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from rich.console import Console


class DataFormat(StrEnum):
    """Formats of data that can be read; only lab and hdfs have labels."""

    AUTO = "auto"
    LAB = "lab"
    LINES = "lines"
    NDJSON = "ndjson"
    HDFS = "hdfs"


class LogFormat(StrEnum):
    """How log lines and errors are written to standard error."""

    TEXT = "text"
    JSON = "json"


def _write_examples(examples: str | None, formatter: Any) -> None:
    """Write example lines as they are: a command line must not be wrapped."""
    lines = (examples or "").strip().splitlines()
    if lines:
        with formatter.section("Examples"):
            for line in lines:
                formatter.write(f"{'':{formatter.current_indent}}{line.strip()}\n")


class HelpCommand(TyperCommand):
    """A command whose epilog holds examples, one command line each."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        _write_examples(self.epilog, formatter)


class HelpGroup(TyperGroup):
    """A group of commands whose epilog holds examples, one command line each."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        _write_examples(self.epilog, formatter)


def data_dir() -> Path:
    """Return the folder of everything Logwarden keeps on this machine.

    ``models/`` in it is the registry of model revisions. The environment variable ``LOGWARDEN_DATA_DIR`` sets it;
    without it, it is ``logwarden`` in the user's data folder (``XDG_DATA_HOME``, or ``~/.local/share``).
    """
    if chosen := os.environ.get("LOGWARDEN_DATA_DIR"):
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base).expanduser() / "logwarden"


CONTEXT_SETTINGS = {"help_option_names": ["-h", "--help"]}


def new_group(
    help_text: str, examples: str, *, cls: type[TyperGroup] = HelpGroup, add_completion: bool = False
) -> typer.Typer:
    """Return an empty group of commands that shows its help when no command is given."""
    return typer.Typer(
        cls=cls,
        help=help_text,
        epilog=examples,
        no_args_is_help=True,
        add_completion=add_completion,
        rich_markup_mode=None,  # rich's help layout costs 0.3 s at every --help
        pretty_exceptions_enable=False,
        context_settings=CONTEXT_SETTINGS,
    )


def console(*, stderr: bool = True) -> Console:
    """Return a rich console for standard error, or for standard output with ``stderr=False``.

    Colours and live progress appear only on a terminal, and not when ``NO_COLOR`` is set.
    """
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


class _TextFormatter(logging.Formatter):
    converter = staticmethod(time.gmtime)

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%SZ")


class _JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message and, for exceptions, the traceback."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False)


def setup_logging(log_format: LogFormat, verbosity: int) -> None:
    """Send log lines to standard error.

    ``verbosity`` -1 shows errors only, 0 warnings, 1 information, 2 and more everything.
    """
    levels = {-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO}
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter() if log_format is LogFormat.JSON else _TextFormatter())
    logging.basicConfig(level=levels.get(verbosity, logging.DEBUG), handlers=[handler], force=True)


def print_error(message: str, log_format: LogFormat = LogFormat.TEXT) -> None:
    """Write an error for a person, or as one JSON object where logs are JSON."""
    if log_format is LogFormat.JSON:
        fields = {"time": _now(), "level": "error", "logger": "logwarden", "message": message}
        text = json.dumps(fields, ensure_ascii=False)
    else:
        text = f"logwarden: error: {message}"
    print(text, file=sys.stderr, flush=True)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
