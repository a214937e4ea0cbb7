"""How far a training is, for whoever looks from outside."""

from __future__ import annotations

import pytest

from logwarden.training.language import progress
from logwarden.training.language.progress import RunProgress
from logwarden.training.metrics import TrainingMetrics


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logwarden.training.metrics.REACHED", reached := {})
    monkeypatch.setattr(progress, "REACHED", reached)


def told() -> dict[str, dict[str, float]]:
    return {
        family.name: {sample.labels["step"]: sample.value for sample in family.samples}
        for family in TrainingMetrics().collect()
    }


def test_nothing_is_told_of_what_has_not_begun() -> None:
    assert told() == {"logwarden_training_done_ratio": {}, "logwarden_training_remaining_seconds": {}}


def test_each_step_tells_how_much_is_done_and_the_time_that_is_left() -> None:
    with RunProgress("pretraining", 0.2) as run:
        assert told()["logwarden_training_done_ratio"] == {"pretraining": 0.2}
        assert told()["logwarden_training_remaining_seconds"] == {}
        run.update(0.6, 32, 1.5)
        assert told()["logwarden_training_done_ratio"] == {"pretraining": 0.6}
        assert told()["logwarden_training_remaining_seconds"]["pretraining"] >= 0
        run.update(1.0, 32, 1.5)
    with RunProgress("fine-tuning"):
        assert told()["logwarden_training_done_ratio"] == {"pretraining": 1.0, "fine-tuning": 0.0}
