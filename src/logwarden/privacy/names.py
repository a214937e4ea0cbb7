"""Replacing many names in a text, in time in proportion to its length.

One regular expression of all names would try each of them at every word. Here the names are read into an automaton
(Aho and Corasick, "Efficient string matching", 1975) that sees each word once. Names and text are read from the right:
so the automaton tells at every word the longest name that begins there.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final

_PIECE: Final = re.compile(r"[\w-]+|[.@\\$+]|[^\w.@\\$+-]+")
"""A word, one of the signs that may stand in a name, or what stands in none."""
_DOTTED: Final = str.maketrans("İı", "ii")
"""Turkish has two letters i; folding leaves them different from ours."""
_WORD: Final = re.compile(r"[\w-]")


def replace_names(text: str, names: Iterable[str], new: Callable[[str], str]) -> str:
    """Replace names where they stand as whole words, whatever their case; the leftmost first, and the longest there.

    A name begins with a letter, a digit or an underscore. ``new`` gives what stands in place of one.
    """
    pieces = _PIECE.findall(text)
    automaton = _Automaton([_symbols(_PIECE.findall(name)) for name in names])
    lengths = automaton.longest_at(_symbols(pieces))
    parts: list[str] = []
    place = 0
    while place < len(pieces):
        length = lengths[place]
        parts.append(new("".join(pieces[place : place + length])) if length else pieces[place])
        place += length or 1
    return "".join(parts)


def _symbols(pieces: Sequence[str]) -> list[str]:
    """Return what is compared. A sign before a word is another one than the sign that may end a name."""
    symbols: list[str] = []
    before_word = False
    for piece in reversed(pieces):
        is_word = _WORD.match(piece) is not None
        symbols.append(piece.translate(_DOTTED).casefold() if is_word else piece + "_" * before_word)
        before_word = is_word
    symbols.reverse()
    return symbols


class _Automaton:
    """The names as a tree that is read from their ends; ``shorter`` leads from a node to its longest proper suffix."""

    def __init__(self, names: Iterable[Sequence[str]]) -> None:
        self._children: list[dict[str, int]] = [{}]
        self._length = [0]
        for name in names:
            node = 0
            for symbol in reversed(name):
                if symbol not in self._children[node]:
                    self._children[node][symbol] = len(self._children)
                    self._children.append({})
                    self._length.append(0)
                node = self._children[node][symbol]
            self._length[node] = len(name)
        self._shorter = [0] * len(self._children)
        self._link()

    def _link(self) -> None:
        """Follow the tree level by level: what is shorter is linked before."""
        waiting = deque(self._children[0].values())
        while waiting:
            node = waiting.popleft()
            for symbol, child in self._children[node].items():
                self._shorter[child] = shorter = self._next(self._shorter[node], symbol)
                self._length[child] = self._length[child] or self._length[shorter]
                waiting.append(child)

    def _next(self, node: int, symbol: str) -> int:
        while node and symbol not in self._children[node]:
            node = self._shorter[node]
        return self._children[node].get(symbol, 0)

    def longest_at(self, symbols: Sequence[str]) -> list[int]:
        """Return for each place how many symbols the longest name that begins there has; 0 where none does."""
        lengths, node = [0] * len(symbols), 0
        for place in range(len(symbols) - 1, -1, -1):
            node = self._next(node, symbols[place])
            lengths[place] = self._length[node]
        return lengths
