"""Batches of equal length."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from logwarden.language.batching import batches, pad, padded_length

LENGTHS = st.lists(st.tuples(st.integers(1, 700), st.integers(1, 200)), max_size=80)


@given(LENGTHS, st.integers(1, 4000))
def test_every_item_is_in_one_batch_with_items_of_its_padded_length(
    lengths: list[tuple[int, int]], positions: int
) -> None:
    chosen = list(batches(lengths, positions))
    assert sorted(index for batch in chosen for index in batch) == list(range(len(lengths)))
    for batch in chosen:
        shapes = {tuple(padded_length(length) for length in lengths[index]) for index in batch}
        assert len(shapes) == 1
        assert len(batch) == 1 or len(batch) * sum(shapes.pop()) <= positions


@given(st.integers(1, 3000))
def test_padding_is_never_shorter_than_the_text(length: int) -> None:
    assert length <= padded_length(length) <= max(8, 2 * length)


def test_padding_is_marked_in_the_mask() -> None:
    ids, mask = pad([[5, 6, 7], [8]], pad_id=0)
    assert ids.shape == mask.shape == (2, 8)
    np.testing.assert_array_equal(mask.sum(axis=1), [3, 1])
    np.testing.assert_array_equal(ids[1], [8, 0, 0, 0, 0, 0, 0, 0])
