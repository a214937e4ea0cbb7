"""Errors that a person is meant to read, and the exit codes that go with them."""

from __future__ import annotations


class LogwardenError(Exception):
    """Something went wrong that the user can understand and mend.

    The message is one line that says what was found, where, and what to do. The command line prints it without a
    traceback and exits with ``exit_code``.
    """

    exit_code = 1


class InvalidInputError(LogwardenError):
    """The user's input (arguments, YAML, a data set, a model folder) is wrong. Exit code 2, like a usage error."""

    exit_code = 2
