"""The command line: ``logwarden COMMAND``.

How to write a command
----------------------
Every command is one module, ``logwarden/cli/NAME.py``, and one entry in :data:`logwarden.cli.root.COMMANDS` (its
one-line help and the extra that it needs). ``logwarden --help`` shows those entries without importing any command, so
it stays fast; the module is imported only when its command runs. A module has either of:

``command`` and ``EXAMPLES``
    A typed function in Typer's style. Its docstring is the help text (first sentence first, in the imperative), its
    parameters are ``Annotated[..., typer.Option(...)]`` or ``typer.Argument``, each with ``help``. ``EXAMPLES`` is a
    string of example lines shown as they are at the end of ``--help``::

        EXAMPLES = '''
        logwarden detect /var/log/syslog
        journalctl -o short-iso | logwarden detect - --output anomalies.ndjson
        '''

        def command(
            inputs: Annotated[list[str], typer.Argument(help="Files, globs, or - for standard input.")],
        ) -> None:
            '''Find anomalies in log files.'''
            from logwarden.local import detect  # heavy imports go inside the function
            ...

``app``
    A group of commands, made by ``app = new_group("Help text.", EXAMPLES)`` with commands added by
    ``@app.command("list", cls=HelpCommand, epilog=LIST_EXAMPLES)``; see :mod:`logwarden.cli.models`.

Rules for all of them
---------------------
- Import at the top only the standard library, ``typer`` and :mod:`logwarden.cli.common`; everything else inside the
  function, so that ``logwarden NAME --help`` is fast too and a missing extra is explained
  (``pip install 'logwarden[train]'``) instead of failing with a traceback.
- Results go to standard output, everything else (progress, hints, logs) to standard error.
- A mistake of the user is ``raise InvalidInputError("what was found, where, what to do")``, any other foreseeable
  failure ``raise LogwardenError(...)``. Never print an error and never call ``sys.exit``: the root prints
  ``logwarden: error: ...`` and picks the exit code (docs/cli.md: 0 done, 1 failed, 2 wrong input or usage,
  130 interrupted). To end with another code without a message: ``raise typer.Exit(code)``.
- Let ``KeyboardInterrupt`` and ``BrokenPipeError`` of standard output pass; the root handles both.
- Log with ``logging.getLogger(__name__)``; the root has set level and format (``-v``, ``-q``, ``--log-format``).
- For colours and progress bars use :func:`logwarden.cli.common.console` (standard error) or
  ``console(stderr=False)``: both are plain when the stream is no terminal or ``NO_COLOR`` is set.
- What is kept on this machine lies under :func:`logwarden.cli.common.data_dir` unless an option says otherwise:
  ``models/`` there is the registry of model revisions.
- Options with a fixed set of values are ``StrEnum`` classes or ``Literal`` types, so that the help and the error name
  the choices.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and exit the process with the command's exit code.

    ``args`` are the words after the program's name; None takes them from ``sys.argv``.
    """
    from logwarden.cli.root import run

    # In a container this is process 1, which does not end by SIGTERM unless it asks to.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(run(sys.argv[1:] if args is None else list(args)))
