"""What the operator knows from its pods' counters: the flow of each pipeline, and how far each training is."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from logwarden.api.log_pipeline import AlertsSpec
from logwarden_operator import scrape
from logwarden_operator.conditions import Condition
from logwarden_operator.flow import NOT_MEASURED, flow_condition, flow_fields
from logwarden_operator.ledger import Ledger
from logwarden_operator.ownership import Child, Key
from logwarden_operator.scrape import Reading

_TOTALS_EVERY_SECONDS = 60.0
"""Totals grow all the time where logs flow: so often they are worth a write."""
_TOTALS = ("received", "rejected", "anomalies")


class Shown(NamedTuple):
    """What a status says about the flow."""

    condition: Condition = NOT_MEASURED
    fields: Mapping[str, Any] = {}


NOTHING_SHOWN = Shown()
NOTHING_THERE = Shown(NOT_MEASURED, {"received": None, "lag": None})


class Reached(NamedTuple):
    """How far a training is: percent of a step, and estimated seconds to its end."""

    step: str
    percent: int
    remaining: int | None


@dataclass
class _Flow:
    alerts: AlertsSpec
    before: dict[str, int]
    """Totals in the status when it was first seen."""
    stale: bool = False
    """Whether that status has numbers of pods that nobody has seen since."""
    ledger: Ledger = field(default_factory=lambda: Ledger(time.time()))
    shown: Shown = NOTHING_SHOWN
    shown_at: float = -math.inf

    def add(self, readings: list[Reading], now: float) -> bool:
        """Take a round of readings; return whether the status has something else to say."""
        if not readings and not self.ledger.samples:
            was, self.stale, self.shown = self.stale, False, NOTHING_THERE
            return was
        self.ledger.add(readings, now)
        samples = self.ledger.samples
        wanted = Shown(flow_condition(samples, self.alerts), flow_fields(samples, self._totals()))
        due = now - self.shown_at >= _TOTALS_EVERY_SECONDS
        if wanted == self.shown or (not due and _without_totals(wanted) == _without_totals(self.shown)):
            return False
        self.shown, self.shown_at = wanted, now
        return True

    def _totals(self) -> dict[str, int]:
        seen = self.ledger.samples[-1].totals
        return {name: self.before.get(name, 0) + round(getattr(seen, name)) for name in _TOTALS}


def _without_totals(shown: Shown) -> tuple[Condition, dict[str, Any]]:
    return shown.condition, {name: value for name, value in shown.fields.items() if name != "traffic"}


class Counts:
    """Kept by the loop that reads the pods, asked by reconciles."""

    def __init__(self) -> None:
        self._flows: dict[Key, _Flow] = {}
        self._trainings: dict[Key, dict[str, Reached]] = {}

    def flow(self, key: Key, alerts: AlertsSpec, raw: Child) -> Shown:
        """Return what is known of a pipeline's flow, and watch it from now on."""
        flow = self._flows.get(key)
        if flow is None:
            status = raw.get("status") or {}
            stale = "received" in status or "lag" in status
            flow = self._flows[key] = _Flow(alerts, dict(status.get("traffic") or {}), stale)
        flow.alerts = alerts
        return flow.shown

    def trainings(self, key: Key) -> Mapping[str, Reached]:
        """Return how far the training pods of a model are, by the uid of the pod."""
        return self._trainings.get(key, {})

    def forget(self, key: Key) -> None:
        """Drop a resource that is gone."""
        self._flows.pop(key, None)
        self._trainings.pop(key, None)

    def add(self, readings: list[Reading], now: float) -> set[Key]:
        """Take what all pods said; return the resources whose status has something else to say.

        ``now`` is in seconds of a clock that never goes back.
        """
        by_owner: dict[Key, list[Reading]] = {}
        for one in readings:
            by_owner.setdefault(one.target.owner, []).append(one)
        changed = {key for key, flow in self._flows.items() if flow.add(by_owner.get(key, []), now)}
        return changed | self._note_trainings(by_owner)

    def _note_trainings(self, by_owner: dict[Key, list[Reading]]) -> set[Key]:
        found = {
            key: {one.target.uid: reached for one in readings if (reached := reached_of(one.values))}
            for key, readings in by_owner.items()
            if key.kind == "AnomalyModel"
        }
        changed = {key for key, now in found.items() if now and now != self._trainings.get(key)}
        self._trainings = found
        return changed


def reached_of(values: Mapping[str, float]) -> Reached | None:
    """Return how far a training is, None where it has not begun to train the language model."""
    prefix = f"{scrape.TRAINED}{{"
    steps = {name.removeprefix(prefix).removesuffix("}"): done for name, done in values.items() if prefix in name}
    if not steps:
        return None
    step = next((step for step, done in steps.items() if done < 1), list(steps)[-1])
    left = values.get(f"{scrape.REMAINING}{{{step}}}")
    # Tens of seconds: a status that changed with every step would keep the API server busy.
    return Reached(step, int(100 * min(1.0, max(0.0, steps[step]))), None if left is None else round(left / 10) * 10)
