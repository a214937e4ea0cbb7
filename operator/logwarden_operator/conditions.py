"""Conditions after the Kubernetes API conventions, and what a table shows of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

Status = Literal["True", "False", "Unknown"]
_MAX_MESSAGE = 2048


class Condition(NamedTuple):
    """One observation: ``reason`` is a word in CamelCase, ``message`` a sentence for a person."""

    type: str
    status: Status
    reason: str
    message: str

    @property
    def holds(self) -> bool:
        """Whether it is True."""
        return self.status == "True"


def true(type_: str, reason: str, message: str) -> Condition:
    """Return a condition that holds."""
    return Condition(type_, "True", reason, message)


def false(type_: str, reason: str, message: str) -> Condition:
    """Return a condition that does not hold."""
    return Condition(type_, "False", reason, message)


def unknown(type_: str, reason: str, message: str) -> Condition:
    """Return a condition of which nothing can be said yet."""
    return Condition(type_, "Unknown", reason, message)


def first_not_true(conditions: Iterable[Condition]) -> Condition | None:
    """Return the first condition that does not hold, which is the one to mend first."""
    return next((condition for condition in conditions if not condition.holds), None)


def ready(conditions: Iterable[Condition], message: str) -> Condition:
    """Return Ready: True when all of ``conditions`` hold, else with the cause of the first that does not."""
    cause = first_not_true(conditions)
    if cause is None:
        return true("Ready", "AllConditionsTrue", message)
    return Condition("Ready", "False", cause.reason, f"{cause.type}: {cause.message}")


def now() -> str:
    """Return the time as the API server writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def merged(conditions: list[Condition], before: list[dict[str, Any]], generation: int) -> list[dict[str, Any]]:
    """Return conditions as the status holds them. The time of one changes only when its status does."""
    former = {condition["type"]: condition for condition in before}
    return [_entry(condition, former.get(condition.type), generation) for condition in conditions]


def _entry(condition: Condition, former: dict[str, Any] | None, generation: int) -> dict[str, Any]:
    same = former is not None and former["status"] == condition.status
    return {
        "type": condition.type,
        "status": condition.status,
        "reason": condition.reason,
        "message": condition.message[:_MAX_MESSAGE],
        "lastTransitionTime": former["lastTransitionTime"] if same and former else now(),
        "observedGeneration": generation,
    }


def changed(conditions: list[Condition], before: list[dict[str, Any]]) -> list[Condition]:
    """Return the conditions whose status or reason is news."""
    former = {condition["type"]: (condition["status"], condition["reason"]) for condition in before}
    return [condition for condition in conditions if former.get(condition.type) != (condition.status, condition.reason)]
