"""Batches of equal length.

A text is always padded to the same length, whatever else is in its batch, because the last bits of a float depend on
the shape that was computed: so a text has one score, and a run that is repeated in other batches finds the same.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

_LENGTHS = (8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 128, 160, 192, 256)


def padded_length(length: int) -> int:
    """Return the length that a sequence is padded to."""
    place = bisect_left(_LENGTHS, length)
    return _LENGTHS[place] if place < len(_LENGTHS) else -(-length // 128) * 128


def batches(lengths: Sequence[tuple[int, ...]], positions: int) -> Iterator[list[int]]:
    """Yield indices of items whose padded lengths are all equal, at most ``positions`` token positions a batch.

    ``lengths`` has one tuple per item, such as (encoder length, decoder length).
    """
    groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for index, item in enumerate(lengths):
        groups[tuple(padded_length(length) for length in item)].append(index)
    for shape, indices in groups.items():
        size = max(1, positions // sum(shape))
        for start in range(0, len(indices), size):
            yield indices[start : start + size]


def pad(rows: Sequence[Sequence[int]], pad_id: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return ids and mask, both of shape (rows, padded length of the longest row)."""
    width = padded_length(max(len(row) for row in rows))
    ids = np.full((len(rows), width), pad_id, dtype=np.int64)
    mask = np.zeros((len(rows), width), dtype=np.int64)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = row
        mask[place, : len(row)] = 1
    return ids, mask
