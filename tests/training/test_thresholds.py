"""Thresholds come from the validation part, by whatever method is asked for."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from logwarden.channels.calibration import to_score
from logwarden.channels.ensemble import Scored
from logwarden.datasets import FileLines, Incident, Recording, load_dataset
from logwarden.detect import DetectionModel
from logwarden.errors import InvalidInputError
from logwarden.evaluation.units import cut
from logwarden.revisions import open_revision
from logwarden.training.fitting import CHANNELS, ScoredUnits, choose, score
from logwarden.units import Unit, UnitConfig

pytestmark = pytest.mark.train

UNIT = UnitConfig()


def validation(faults: int = 6) -> ScoredUnits:
    """Return 600 units of a host: every tenth shows a little, and those of the faults much more."""
    rng = np.random.default_rng(0)
    incidents = tuple(
        Incident(f"f{i}", "link_flap", True, frozenset({"r1"}), i * 3000 + 300, i * 3000 + 330, i * 3000 + 340, False)
        for i in range(faults)
    )
    recording = Recording("v", FileLines(Path("unused")), incidents, 0.0, 18000.0, days=1.0, labelled=faults > 0)
    scored = []
    for i in range(600):
        unit = Unit("r1", "s", i * 30.0, positions=[i], times=[i * 30.0 + 1], texts=["x"], templates=[1])
        surprise = float(rng.uniform(0.1, 1.5)) if i % 10 == 0 else 0.0
        if not recording.is_normal("r1", unit.start, unit.end):
            surprise = float(rng.uniform(3, 6))
        scored.append(Scored(unit, 0.0, {"text": surprise / 2, "novelty": surprise, "rate": 0.0}, []))
    return [(recording, scored)]


def test_best_f1_is_taken_where_there_are_faults() -> None:
    choice = choose(validation(), UNIT)
    assert choice.method == "F1"
    assert choice.metrics.f1 == 1.0


def test_quantile_is_taken_where_there_are_few() -> None:
    choice = choose(validation(faults=0), UNIT, quantile=0.99)
    assert (choice.method, choice.combination) == ("Quantile", "cubic")
    assert not choice.metrics.labelled
    # One unit in a hundred is reported: 6 of 600, or a few more that score the same.
    assert 4 <= choice.metrics.false_alarms <= 7


def test_quantile_of_units_that_show_nothing_does_not_report_everything() -> None:
    silent = [(r, [one._replace(surprises=dict.fromkeys(CHANNELS, 0.0)) for one in s]) for r, s in validation(0)]
    choice = choose(silent, UNIT)
    assert choice.threshold > 0.1
    assert choice.metrics.false_alarms == 0


@pytest.mark.parametrize("method", ["DSN", "EB", "IQR", "KARCH", "MAD", "MTT", "ZSCORE"])
def test_thresholds_of_pyod_can_be_named(method: str) -> None:
    choice = choose(validation(), UNIT, method=method)
    assert choice.method == method
    assert to_score(0.4) <= choice.threshold < 1


def test_fixed_value_overrides_the_method() -> None:
    choice = choose(validation(), UNIT, method="F1", value=0.999)
    assert (choice.threshold, choice.method) == (0.999, "fixed")
    assert choice.metrics.found == 0
    assert choose(validation(), UNIT, value=1.0).threshold == 1.0


def test_channels_that_are_left_out_have_no_weight() -> None:
    choice = choose(validation(), UNIT, ["rate"])
    assert choice.weights == {"text": 0.0, "novelty": 0.0, "rate": 1.0}
    assert choice.metrics.found == 0


def test_f1_without_faults_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="threshold method F1 needs labelled faults"):
        choose(validation(faults=0), UNIT, method="F1")


def test_missing_package_of_a_method_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_ruptures(name: str, *args: Any) -> Any:
        if name.partition(".")[0] == "ruptures":
            raise ModuleNotFoundError("No module named 'ruptures'", name="ruptures")
        return real(name, *args)

    monkeypatch.setattr(builtins, "__import__", without_ruptures)
    with pytest.raises(InvalidInputError, match="threshold method CPD needs the Python package ruptures"):
        choose(validation(), UNIT, method="CPD")


def test_method_that_finds_nothing_says_so() -> None:
    silent = [(r, [one._replace(surprises=dict.fromkeys(CHANNELS, 0.0)) for one in s]) for r, s in validation()]
    with pytest.raises(InvalidInputError, match="threshold method MAD"):
        choose(silent, UNIT, method="MAD")


def test_methods_work_on_what_the_packaged_model_says_of_the_lab() -> None:
    model = DetectionModel.load(open_revision("builtin"))
    recording = load_dataset("lab").validation[:1]
    scored = score(model, cut(model, recording))
    chosen = {method: choose(scored, model.unit, method=method) for method in ("auto", "Quantile", "DSN", "ZSCORE")}
    assert chosen["auto"].method == "F1"
    assert chosen["auto"].metrics.f1 == max(one.metrics.f1 for one in chosen.values()) > 0.5
    assert all(0 < one.threshold < 1 for one in chosen.values())
