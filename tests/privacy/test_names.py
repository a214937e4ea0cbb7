"""Replacing names in a text."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from types import FrameType
from typing import Any

import pytest

from logwarden.privacy import names as module
from logwarden.privacy.names import replace_names


def hidden(text: str, names: Iterable[str]) -> str:
    return replace_names(text, names, lambda name: f"<{name}>")


@pytest.mark.parametrize(
    ("text", "names", "expected"),
    [
        ("for alice, Alice and ALICE", ["alice"], "for <alice>, <Alice> and <ALICE>"),
        ("malice alice1 alice-x x-alice alice_", ["alice"], "malice alice1 alice-x x-alice alice_"),
        ("alice.b alice@host x.alice", ["alice"], "<alice>.b <alice>@host x.<alice>"),
        ("a.b.c a.b a", ["a", "a.b"], "<a.b>.c <a.b> <a>"),
        ("a.b.c b.c.d", ["a.b", "b.c.d"], "<a.b>.c <b.c.d>"),
        ("pc$ pc$1 pc$-", ["pc$"], "<pc$> pc$1 pc$-"),
        ("pc$$ pc", ["pc$", "pc"], "<pc$>$ <pc>"),
        ("user anna müller MÜLLER", ["müller"], "user anna <müller> <MÜLLER>"),
        ("a  b\ta b", ["b"], "a  <b>\ta <b>"),
        ("", ["a"], ""),
    ],
)
def test_whole_words_are_replaced_the_leftmost_and_longest_first(text: str, names: list[str], expected: str) -> None:
    assert hidden(text, names) == expected


def steps(text: str, names: Iterable[str]) -> int:
    """Return how many lines of the module are executed."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        if frame.f_code.co_filename != module.__file__:
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        hidden(text, names)
    finally:
        sys.settrace(before)
    return count


def many(size: int) -> tuple[str, list[str]]:
    names = [f"n{number}" for number in range(size // 12)]
    return " ".join(f"user {name}" for name in names)[:size], names


def nested(size: int) -> tuple[str, list[str]]:
    """Every name begins and ends like the ones before."""
    names, left = [], size // 2
    while left > 0:
        names.append("a" + ".a" * len(names))
        left -= len(names[-1])
    return " ".join(names) + ".a" * (size // 4), names


def almost(size: int) -> tuple[str, list[str]]:
    """At every word the name goes on for long, and then differs."""
    return "a" + ".a" * (size // 3), ["b" + ".a" * (size // 8), "a" + ".a" * (size // 8) + ".b"]


@pytest.mark.parametrize("line", [many, nested, almost])
def test_twice_as_long_a_line_takes_twice_the_steps(line: Any) -> None:
    short, long = (steps(*line(size)) for size in (4096, 8192))
    assert short > 4096 / 12
    assert long < 2.2 * short
