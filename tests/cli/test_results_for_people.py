"""What lists of anomalies look like on a terminal, and what is missing is said first."""

from __future__ import annotations

import importlib.util
from importlib.machinery import ModuleSpec
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from logwarden.cli import anomalies, detect, train
from logwarden.detect.history import Summary
from logwarden.training.language import TrainingConfig
from logwarden.training.plan import Plan, Threshold
from tests.explain.records import FAILED, burst, record


def test_a_narrow_terminal_shows_what_is_odd_over_its_whole_width() -> None:
    out = Console(file=StringIO(), width=80, highlight=False)
    anomaly = record(burst(), host="srv1", template=FAILED)
    anomalies._write_blocks(out, [anomaly, anomaly])
    assert isinstance(out.file, StringIO)
    lines = out.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 6
    assert anomaly.id[:12] in lines[0]
    assert "srv1" in lines[0]


def test_totals_count_in_english_and_a_followed_file_has_no_speed() -> None:
    result = Summary(lines=1, units=1, anomalies=1, cases=1, rejected=0, seconds=2.0, lines_per_second=0.5)
    assert detect._totals(result, followed=True) == "1 line, 1 unit, 1 anomaly in 1 case, 0 rejected"
    assert detect._totals(result, followed=False).endswith("; 2.0 s, 0 lines/s")
    assert detect._totals(Summary(lines=7), followed=True) == "7 lines, 0 units, 0 anomalies, 0 rejected"


@pytest.mark.parametrize(
    ("steps", "method", "missing"), [(None, "auto", "torch"), (0, "auto", None), (0, "MAD", "pyod"), (5, "F1", "torch")]
)
def test_packages_that_a_training_lacks_are_named_before_it_begins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, steps: int | None, method: str, missing: str | None
) -> None:
    def find(name: str) -> ModuleSpec | None:
        return None

    monkeypatch.setattr(importlib.util, "find_spec", find)
    config = TrainingConfig(steps=steps, epochs=3)
    plan = Plan("mine", "builtin", tmp_path, pretraining=config, tuning=config, threshold=Threshold(method))
    if missing is None:
        train._check_packages(plan)
        return
    with pytest.raises(ModuleNotFoundError) as raised:
        train._check_packages(plan)
    assert raised.value.name == missing
