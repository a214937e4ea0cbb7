"""Raw scores become probabilities among normal units."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logwarden.channels.calibration import Tail, to_score
from logwarden.channels.ensemble import combine

raws = st.lists(st.floats(0, 1e4), max_size=200)


def test_surprise_is_the_share_of_normal_units_that_score_as_high() -> None:
    tail = Tail.fit([float(i) for i in range(1, 100)], units=999, default_scale=1.0)
    assert tail.surprise(0.0) == 0.0
    assert tail.surprise(50.5) == pytest.approx(np.log10(1000 / 51), abs=0.03)
    assert tail.surprise(99.0) == pytest.approx(np.log10(1000 / 2), abs=0.01)


def test_above_the_highest_normal_score_surprise_keeps_growing() -> None:
    tail = Tail.fit([1.0, 2.0, 3.0], units=1000, default_scale=1.0)
    assert tail.surprise(3.0) < tail.surprise(4.0) < tail.surprise(8.0) <= 9.0


def test_a_kind_that_no_normal_unit_showed_is_as_surprising_as_the_sample_allows() -> None:
    tail = Tail.fit([], units=999, default_scale=0.5)
    assert tail.surprise(0.01) >= 3.0


@given(raws, st.integers(200, 5000), st.lists(st.floats(0, 2e4), min_size=2, max_size=20))
def test_surprise_never_falls_as_the_raw_score_grows(normal: list[float], units: int, asked: list[float]) -> None:
    tail = Tail.fit(normal, units, 1.0)
    surprises = [tail.surprise(raw) for raw in sorted(asked)]
    assert all(a <= b + 1e-12 for a, b in pairwise(surprises))
    assert all(0 <= s <= 9 for s in surprises)


@given(raws, st.floats(0, 2e4))
def test_tail_survives_json(normal: list[float], asked: float) -> None:
    tail = Tail.fit(normal, 1000, 1.0)
    again = Tail.from_json(json.loads(json.dumps(tail.to_json())))
    assert again == Tail.from_json(again.to_json())


def test_score_is_half_for_one_in_a_hundred() -> None:
    assert to_score(2.0) == pytest.approx(0.5)
    assert to_score(4.0) == pytest.approx(0.75)
    assert to_score(0.0) == 0.0


def test_channels_are_combined_by_average_norm_or_maximum() -> None:
    surprises = np.array([[1.0, 4.0, 0.0], [2.0, 2.0, 2.0]])
    weights = np.array([1.0, 3.0, 0.0])
    np.testing.assert_allclose(combine(surprises, weights, "average"), [13 / 4, 2.0])
    np.testing.assert_allclose(combine(surprises, weights, "cubic"), [np.cbrt(1 + 12**3), np.cbrt(8 + 216)])
    np.testing.assert_allclose(combine(surprises, weights, "maximum"), [12.0, 6.0])
