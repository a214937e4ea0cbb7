"""Alarms are counted as an operator would count them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from logwarden.datasets import FileLines, Incident, Recording
from logwarden.evaluation import Alarm, measure
from logwarden.evaluation.thresholds import best_threshold


def fault(identifier: str, start: float, *, kind: str = "link_flap", held_out: bool = False) -> Incident:
    return Incident(identifier, kind, True, frozenset({"r1", "r2"}), start, start + 30, start + 40, held_out)


def recording(*incidents: Incident) -> Recording:
    return Recording("test-1", FileLines(Path("unused")), incidents, 0.0, 1440.0, days=2.0)


def alarm(host: str, start: float, end: float | None = None) -> Alarm:
    return Alarm(host, start, end or start + 5, decided=(end or start + 5) + 1)


def test_alarm_on_an_affected_host_during_the_fault_finds_it() -> None:
    metrics = measure([(recording(fault("f1", 100)), [alarm("r2", 110)])])
    assert (metrics.found, metrics.false_alarms, metrics.f1) == (1, 0, 1.0)
    assert metrics.seconds_to_detection == (16.0,)


@pytest.mark.parametrize("wrong", [alarm("r3", 110), alarm("r1", 141), alarm("r1", 80, 99)])
def test_alarm_on_another_host_or_at_another_time_is_false(wrong: Alarm) -> None:
    metrics = measure([(recording(fault("f1", 100)), [wrong])])
    assert (metrics.found, metrics.false_alarms) == (0, 1)
    assert metrics.f1 == 0.0


def test_maintenance_is_nothing_to_be_found() -> None:
    planned = Incident("m1", "reload", False, frozenset({"r1"}), 100, 130, 140, False)
    metrics = measure([(recording(planned), [alarm("r1", 110)])])
    assert (metrics.faults, metrics.false_alarms) == (0, 1)


def test_false_alarms_of_one_host_close_in_time_are_one_page() -> None:
    alarms = [alarm("r1", 100), alarm("r1", 150), alarm("r1", 400), alarm("r2", 100)]
    metrics = measure([(recording(), alarms)])
    assert metrics.false_alarms == 3
    assert metrics.to_json()["false_alarms_per_day"] == 1.5


def test_recall_on_unseen_kinds_counts_only_those() -> None:
    faults = [fault("f1", 100), fault("f2", 300, kind="vrrp_split", held_out=True), fault("f3", 600)]
    metrics = measure([(recording(*faults), [alarm("r1", 110), alarm("r1", 310)])])
    assert metrics.to_json()["unseen_recall"] == 1.0
    assert metrics.recall == pytest.approx(2 / 3)
    assert metrics.by_kind == {"link_flap": (1, 2), "vrrp_split": (1, 1)}


def test_threshold_lies_in_the_middle_of_the_best_range() -> None:
    part = recording(fault("f1", 100))
    scored = [(part, [alarm("r1", 110), alarm("r9", 600)], np.array([0.9, 0.1]))]
    threshold, metrics = best_threshold(scored, np.arange(0.0, 1.01, 0.1))
    assert metrics.f1 == 1.0
    assert 0.4 <= threshold <= 0.6


def test_anomalous_session_is_found_by_an_alarm_about_it() -> None:
    part = replace(recording(), anomalous_sessions=frozenset({"a", "b"}))
    alarms = [alarm("r1", 100)._replace(session=key) for key in ("a", "a", "c")]
    metrics = measure([(part, alarms)])
    assert (metrics.faults, metrics.found, metrics.false_alarms) == (2, 1, 1)
    assert metrics.by_kind == {"anomalous session": (1, 2)}


def test_every_session_that_is_no_fault_is_a_false_alarm_of_its_own() -> None:
    alarms = [alarm("r1", 100)._replace(session=key) for key in ("a", "b", "b")]
    assert measure([(recording(), alarms)]).false_alarms == 2


def test_without_labels_nothing_is_claimed_of_faults() -> None:
    metrics = measure([(replace(recording(), labelled=False), [alarm("r1", 100), alarm("r1", 600)])]).to_json()
    assert metrics["f1"] is metrics["recall"] is metrics["false_alarms_per_day"] is None
    assert (metrics["reports"], metrics["reports_per_day"]) == (2, 1.0)
    assert "no labels" in metrics["note"]


def test_f1_of_a_part_without_faults_is_unknown() -> None:
    metrics = measure([(recording(), [alarm("r1", 100)])]).to_json()
    assert metrics["f1"] is None
    assert metrics["false_alarms"] == 1
