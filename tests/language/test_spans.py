"""Masked spans."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from logwarden.language.spans import complementary, divide, mask

WORD_LENGTHS = st.lists(st.integers(1, 40), max_size=60)


def numbered(lengths: list[int]) -> list[int]:
    return [word for word, length in enumerate(lengths) for _ in range(length)]


@given(WORD_LENGTHS, st.integers(1, 6))
def test_spans_follow_each_other_and_cover_every_token(lengths: list[int], shortest: int) -> None:
    words = numbered(lengths)
    spans = divide(words, shortest)
    assert [position for start, end in spans for position in range(start, end)] == list(range(len(words)))
    assert all(end - start <= 3 * shortest for start, end in spans)


def test_spans_end_at_words() -> None:
    assert divide(numbered([2, 2, 1, 5]), 3) == [(0, 4), (4, 10)]


def test_a_very_long_word_is_cut() -> None:
    assert divide([0] * 20, 3) == [(0, 9), (9, 18), (18, 20)]


@given(WORD_LENGTHS, st.integers(1, 6), st.integers(1, 20))
def test_two_passes_restore_every_token_once_within_the_sentinels(
    lengths: list[int], shortest: int, sentinels: int
) -> None:
    words = numbered(lengths)
    first, second = complementary(words, shortest, sentinels)
    assert max(len(first), len(second)) <= sentinels
    assert sorted(position for start, end in first + second for position in range(start, end)) == list(
        range(len(words))
    )


def test_masking_leaves_a_sentinel_where_a_span_was() -> None:
    source, target = mask([10, 11, 12, 13, 14], [(1, 3), (4, 5)], [90, 91, 92])
    assert source == [10, 90, 13, 91]
    assert target == [90, 11, 12, 91, 14]
