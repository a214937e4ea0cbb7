"""The root command: global options, lazy loading of commands, errors and exit codes."""

from __future__ import annotations

import importlib
import os
import select
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand
from typer.exceptions import Abort, TyperException

from logwarden import __version__
from logwarden.cli.common import (
    CONTEXT_SETTINGS,
    HelpCommand,
    HelpGroup,
    LogFormat,
    new_group,
    print_error,
    setup_logging,
)
from logwarden.errors import LogwardenError


class Entry(NamedTuple):
    """What the root knows about a command without importing it."""

    help: str
    extra: str | None
    """Extra of the package that installs what the command imports, or None for the plain package."""


COMMANDS = {
    "up": Entry("Run a pipeline on this machine: listeners, detector, store and dashboard.", "serve"),
    "run": Entry("Run one part of a pipeline as a process of its own, as pods do.", "serve"),
    "upload": Entry("Send log files to an HTTP endpoint, and go on after a break.", "serve"),
    "detect": Entry("Find anomalies in log files or standard input.", "serve"),
    "train": Entry("Fine-tune a model on your own logs and write a new revision.", "train"),
    "evaluate": Entry("Measure a model on labelled logs beside trivial baselines.", "serve"),
    "models": Entry("List, show, promote and roll back model revisions.", None),
    "anomalies": Entry("List the anomalies that the local store holds.", "serve"),
    "deadletters": Entry("List, show and replay what a pipeline on Kafka could not process.", "serve"),
    "explain": Entry("Explain a stored anomaly.", "serve"),
    "collector": Entry("Configure and watch the syslog-ng that puts logs into Kafka.", None),
    "crds": Entry("Print the Kubernetes custom resource definitions.", None),
}

HELP = """Find and explain anomalies in network logs, on one machine or on Kubernetes.

Options of this page go before the command: logwarden --debug detect FILE.
"""

EXAMPLES = """
logwarden up -f examples/quickstart.yaml
logwarden detect /var/log/syslog
logwarden anomalies --limit 10
logwarden COMMAND --help
"""

GLOBAL_OPTIONS = ("--debug", "--verbose", "-v", "--quiet", "-q", "--log-format", "--version")

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141


@dataclass
class _State:
    """Global options of this run, needed where an error ends it."""

    debug: bool = False
    log_format: LogFormat = LogFormat.TEXT
    extra: str | None = None


class _LazyGroup(HelpGroup):
    """The root group: knows all names and one-line helps, imports a command only when it is used."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        self.commands = {name: TyperCommand(name, short_help=entry.help) for name, entry in COMMANDS.items()}

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return _load(cmd_name) if cmd_name in COMMANDS else None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            _stop_if_output_is_gone()
            raise LogwardenError("a connection was closed by the other side") from error

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] in COMMANDS and isinstance(ctx.obj, _State):
            ctx.obj.extra = COMMANDS[args[0]].extra
        return super().resolve_command(ctx, args)


def _load(name: str) -> Any:
    """Import the module of a command and return its click command."""
    module = importlib.import_module(f"logwarden.cli.{name}")
    app = getattr(module, "app", None)
    if app is None:
        app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
        register = app.command(name, cls=HelpCommand, epilog=module.EXAMPLES, context_settings=CONTEXT_SETTINGS)
        register(module.command)
    command = typer.main.get_command(app)
    command.name = name
    return command


def _show_version(value: bool) -> None:
    if value:
        print(f"logwarden {__version__}")
        raise typer.Exit


def _root(
    ctx: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an unexpected error.")] = False,
    verbose: Annotated[int, typer.Option("--verbose", "-v", count=True, help="Log more; -vv logs everything.")] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Log errors only.")] = False,
    log_format: Annotated[
        LogFormat, typer.Option("--log-format", help="Format of log lines and errors.")
    ] = LogFormat.TEXT,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    state = ctx.obj
    state.debug, state.log_format = debug, log_format
    setup_logging(log_format, -1 if quiet else verbose)


def _new_root() -> Any:
    app = new_group(HELP, EXAMPLES, cls=_LazyGroup, add_completion=True)
    app.callback()(_root)
    return typer.main.get_command(app)


def run(args: list[str]) -> int:
    """Run one command line; return its exit code. Errors are printed, never raised."""
    state = _State()
    try:
        code = _new_root().main(args=args, prog_name="logwarden", standalone_mode=False, obj=state)
        _flush_output()
    except SystemExit as stop:  # shell completion ends this way
        code = stop.code
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except Exception as error:
        code = _report(error, state)
    if code == EXIT_INTERRUPTED:
        print("logwarden: interrupted", file=sys.stderr)
    return code if isinstance(code, int) else 0


def _report(error: Exception, state: _State) -> int:
    """Print what went wrong in one line; return the exit code."""
    if state.debug and not isinstance(error, TyperException):
        traceback.print_exception(error)
    message, code = _describe(error, state)
    print_error(message, state.log_format)
    return code


def _describe(error: Exception, state: _State) -> tuple[str, int]:
    """Return the message and the exit code for an error."""
    if isinstance(error, TyperException):
        return _describe_usage(error), error.exit_code
    if isinstance(error, LogwardenError):
        return str(error), error.exit_code
    if isinstance(error, Abort):
        return "aborted", EXIT_FAILED
    if isinstance(error, ModuleNotFoundError) and state.extra and _is_foreign(error.name):
        package = str(error.name).partition(".")[0]
        return f"the Python package {package} is missing: {_how_to_install(state.extra)}", EXIT_FAILED
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}", EXIT_FAILED
    hint = "" if state.debug else " (run 'logwarden --debug COMMAND ...' for the traceback)"
    return f"unexpected {type(error).__name__}: {error}{hint}", EXIT_FAILED


def _how_to_install(extra: str) -> str:
    """Return the command that installs an extra: of the package, or in a checkout, with its pinned versions."""
    if (Path(__file__).parents[3] / "constraints.txt").exists():
        return f"in the checkout, {sys.executable} -m pip install -e '.[{extra}]' -c constraints.txt"
    return f"pip install 'logwarden[{extra}]'"


def _is_foreign(module: str | None) -> bool:
    return module is not None and module.partition(".")[0] != "logwarden"


def _describe_usage(error: TyperException) -> str:
    """Return a usage error with the command whose help explains it."""
    if type(error).__name__ == "NoArgsIsHelpError":
        return f"a command is missing\n\n{error.format_message()}"
    context = getattr(error, "ctx", None)
    hint = f" (see '{context.command_path} --help')" if context is not None else ""
    option = getattr(error, "option_name", None)
    if option in GLOBAL_OPTIONS and context is not None and context.parent is not None:
        hint = f" (it goes before the command: logwarden {option} {context.info_name} ...)"
    message = error.format_message().rstrip(".").replace("Value error, ", "")
    return f"{message}{hint}"


def _flush_output() -> None:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _stop_if_output_is_gone()
        raise


def _stop_if_output_is_gone() -> None:
    """End silently with :data:`EXIT_BROKEN_PIPE` where nobody reads standard output any more, as ``head`` does."""
    descriptor = sys.stdout.fileno()
    poll = select.poll()
    poll.register(descriptor, 0)  # errors are reported whatever is asked for
    if poll.poll(0):
        # The interpreter flushes once more at its end: give it somewhere to write to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
        raise SystemExit(EXIT_BROKEN_PIPE)
