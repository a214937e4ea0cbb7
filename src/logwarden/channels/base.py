"""The protocol that every channel follows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from logwarden.api.record import EvidenceKind
from logwarden.units import Unit

Facts = dict[str, str | int | float]


class Finding(NamedTuple):
    """Something odd about a unit, before calibration.

    ``raw`` is at least 0, higher is more odd, on a scale of its kind's own. ``template`` is the template that it is
    about, or None when it is about the host as a whole.
    """

    kind: EvidenceKind
    raw: float
    facts: Facts
    template: int | None = None


Reading = list[Finding]
"""What one channel has to say of one unit; empty when the unit looks normal."""


class Channel(Protocol):
    """One way to see that a unit is odd.

    ``fit`` takes normal units in time order. Then units come in time order: ``prepare`` sees some of them at once, so
    that expensive work can be batched; ``read`` says what is odd about one; then, before the next one is read, it goes
    to ``learn`` where it was judged normal, so that what is new becomes known and what is usual is counted, and to
    ``reported`` where it was told as an anomaly.
    """

    name: str

    def fit(self, units: Iterable[Unit]) -> None:
        """Learn what is normal from training units."""

    def prepare(self, units: Sequence[Unit]) -> None:
        """Do for many units at once what reading them one by one would do slowly."""

    def read(self, unit: Unit) -> Reading:
        """Say what is odd about a unit."""

    def learn(self, unit: Unit) -> None:
        """Take a unit that was judged normal into what is known."""

    def reported(self, unit: Unit) -> None:
        """Hear that a unit was told as an anomaly."""

    def to_json(self) -> dict[str, Any]:
        """Return what was fitted, for the revision."""

    def to_state(self) -> dict[str, Any]:
        """Return what was learned and remembered since, for a checkpoint."""

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`to_state`."""
