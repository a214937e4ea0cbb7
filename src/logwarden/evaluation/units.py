"""Recordings cut into units, as the detector sees them."""

from __future__ import annotations

from collections.abc import Iterable

from logwarden.datasets import Recording
from logwarden.detect import DetectionModel
from logwarden.evaluation.alarms import Alarm
from logwarden.units import Intake, Unit, UnitConfig

RecordingUnits = tuple[Recording, list[Unit]]


def cut(model: DetectionModel, recordings: Iterable[Recording]) -> list[RecordingUnits]:
    """Cut recordings into units, each from a fresh start."""
    return [
        (recording, Intake(model.templates, model.unit, model.ensemble().silence).units(recording.batches()))
        for recording in recordings
    ]


def normal_units(parts: Iterable[RecordingUnits]) -> list[Unit]:
    """Return the units that no fault can have touched, in time order by recording."""
    return [unit for recording, units in parts for unit in units if is_normal(unit, recording)]


def is_normal(unit: Unit, recording: Recording) -> bool:
    """Whether no fault can have touched a unit. Maintenance is normal."""
    return recording.is_normal(unit.host, unit.start, unit.end, unit.session)


def alarm_of(unit: Unit, config: UnitConfig) -> Alarm:
    """Return the alarm that reporting a unit gives."""
    return Alarm(unit.host, unit.start, unit.end, config.decided_at(unit.end, len(unit.texts)), unit.session)
