"""``logwarden run``: one part of a pipeline as a process of its own, which is what a pod runs."""

from __future__ import annotations

from logwarden.cli import run_detector, run_ingest
from logwarden.cli.common import CONTEXT_SETTINGS, HelpCommand, new_group

# Each module is cheap to import, and imports what its part needs when that is run.
_PARTS = {
    "detector": run_detector,
    "ingest": run_ingest,
}

app = new_group(
    "Run one part of a pipeline as a process of its own, as pods do.",
    """
    logwarden run detector -f pipeline.yaml --secrets secrets/
    logwarden run ingest -f pipeline.yaml --secrets secrets/
    """,
)


@app.callback()
def _run() -> None:
    """Make it a group also while it has a single command."""


for _name, _part in _PARTS.items():
    app.command(_name, cls=HelpCommand, epilog=_part.EXAMPLES, context_settings=CONTEXT_SETTINGS)(_part.command)
