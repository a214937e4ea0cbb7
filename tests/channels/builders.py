"""Units for tests, made from template texts."""

from __future__ import annotations

from logwarden.templates import Templates
from logwarden.units import Unit


def unit(templates: Templates, host: str, start: float, texts: list[str], spacing: float = 1.0) -> Unit:
    """Return a unit of ``host`` with one line per text, ``spacing`` seconds apart."""
    times = [start + i * spacing for i in range(len(texts))]
    return Unit(
        host,
        "s",
        start - start % 30,
        positions=list(range(len(texts))),
        times=times,
        texts=list(texts),
        templates=[templates.id_of(text) for text in texts],
    )
