"""The source for a node's own logs."""

from __future__ import annotations

from typing import Final

from logwarden.collector.envelope import LATE_ENVELOPE
from logwarden.collector.layout import NODE_VARIABLE, Layout
from logwarden.collector.listeners import Source, path
from logwarden.collector.syntax import quoted, with_variable

# A listener's name has no slash.
_NAME: Final = "node/{}"
_FILES: Final = ("syslog", "messages")
_WINDOW: Final = 1000

_SENDER: Final = f"""\
rewrite "node" {{ set({with_variable("", NODE_VARIABLE)} value(".logwarden.peer")); }};
"""
# The journal has fields, not lines: written as syslog with an ISO 8601 timestamp they are one.
_TIME: Final = "${YEAR}-${MONTH}-${DAY}T${HOUR}:${MIN}:${SEC}.${USEC}${TZOFFSET}"
_LINE: Final = f"""\
rewrite "node-line" {{
    set({with_variable(f"<$PRI>{_TIME} ", NODE_VARIABLE, " ${PROGRAM}$(if ('$PID' ne '') '[$PID]' ''): $MESSAGE")}
        value("MESSAGE"));
    set({with_variable("", NODE_VARIABLE)} value(".logwarden.peer"));
}};
"""


def node_source(kind: str, layout: Layout) -> Source:
    """Return the source of a node's own logs: its journal, or the files ``syslog`` and ``messages``.

    The node's name takes the place of the sender's address. A collector that starts reads what was written before it:
    such lines are late, and one clock stamps what is written and what is read.
    """
    name = _NAME.format(kind)
    if kind == "journal":
        driver = '    systemd-journal(prefix(".journald."));\n'
        return _source(name, f"{_LINE}{LATE_ENVELOPE}", driver, "node-line")
    drivers = "".join(
        f"    file({quoted(f'{layout.node_logs}/{file}')} flags(no-parse) follow-freq(1) log-iw-size({_WINDOW}));\n"
        for file in _FILES
    )
    return _source(name, f"{_SENDER}{LATE_ENVELOPE}", drivers, "node")


def _source(name: str, rules: str, drivers: str, rewrite: str) -> Source:
    text = f"{rules}source {quoted(name)} {{\n{drivers}}};\n"
    return Source(text, path(name, rewrite, flow_control=True, envelope="late-envelope"))
