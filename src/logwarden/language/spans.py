"""Masked spans: what the loss of a text means, and what the model practises for it.

A T5 is pretrained to restore spans that were cut out of its input (Raffel et al. 2020, section 3.1.4). The loss of a
text is measured the same way: its tokens are divided into short spans at word boundaries; one pass hides every even
span, the other every odd one, so that each token is restored exactly once from its neighbours. Both passes together
read and write about as many tokens as the text has, twice over: no dearer than one ordinary pass per half.
"""

from __future__ import annotations

from collections.abc import Sequence

Span = tuple[int, int]


def divide(words: Sequence[int | None], shortest: int) -> list[Span]:
    """Divide token positions into consecutive spans.

    Parameters
    ----------
    words
        Number of the word that each token belongs to.
    shortest
        A span ends at the first word boundary at or after this many tokens, and inside a word after three times as
        many (a hash or a path may be one very long word).
    """
    spans: list[Span] = []
    start = 0
    for position in range(1, len(words)):
        length = position - start
        at_boundary = words[position] != words[position - 1]
        if (length >= shortest and at_boundary) or length >= 3 * shortest:
            spans.append((start, position))
            start = position
    if words:
        spans.append((start, len(words)))
    return spans


def complementary(words: Sequence[int | None], shortest: int, sentinels: int) -> tuple[list[Span], list[Span]]:
    """Return the spans that the first and the second pass hide; a single span leaves the second pass empty.

    Spans grow where a text is so long that a pass would run out of sentinels.
    """
    spans = divide(words, max(shortest, -(-len(words) // (2 * sentinels))))
    return spans[0::2], spans[1::2]


def mask(ids: Sequence[int], hidden: Sequence[Span], sentinel_ids: Sequence[int]) -> tuple[list[int], list[int]]:
    """Return encoder input and decoder target of the text with the hidden spans cut out (no end of sequence added).

    The target is, span by span, the sentinel that stands in the input and the tokens it hides.
    """
    source: list[int] = []
    target: list[int] = []
    after = 0
    for (start, end), sentinel in zip(hidden, sentinel_ids[: len(hidden)], strict=True):
        source += [*ids[after:start], sentinel]
        target += [sentinel, *ids[start:end]]
        after = end
    source += ids[after:]
    return source, target
