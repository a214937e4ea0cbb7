"""Mask a message, and put a line into the form that the model reads."""

from __future__ import annotations

import re
from typing import Final

from logwarden.mask.context import mask_context, mask_web
from logwarden.mask.words import EMPTY, WordMasks

MASK_VERSION: Final = 1
"""Changes when the same message may come out differently. A model revision names the version it was trained with."""

_words: Final = WordMasks()
_mask_of: Final = _words.__getitem__

LONGEST: Final = 8192
"""Characters of a message that are masked: far more than a model reads."""

_texts: Final[dict[str, str]] = {}
_TEXT_CACHE_SIZE: Final = 16_384
_LONGEST_CACHED: Final = 2048
_MOST_PASSES: Final = 8

_lines: Final[dict[tuple[str, str], str]] = {}
_LINE_CACHE_SIZE: Final = 16_384
_LONGEST_CACHED_LINE: Final = 512

_APP_CACHE_SIZE: Final = 4096
_apps: Final[dict[str, str]] = {}
_APP_NOISE: Final = re.compile(r"\[.*|(?<![A-Za-z])\d+|\d+(?=\Z|\[)|[\x00-\x20{}<>\\^`~\ud800-\udfff]+")


def mask(message: str) -> str:
    """Replace what varies in a message (numbers, addresses, names, times) by words such as ``NUM`` and ``IP``.

    White space is reduced to single spaces, characters unknown to T5's vocabulary are gone, and what exceeds
    :data:`LONGEST` characters is cut off. Idempotent.
    """
    if len(message) > LONGEST:
        message = _cut(message)
    if '"' in message:
        message = mask_web(message)
    text = " ".join(map(_mask_of, message.split()))
    try:
        return _texts[text]
    except KeyError:
        return _settle(text)


def _settle(text: str) -> str:
    """Mask what only the neighbours of a word give away, until nothing changes: masking twice is masking once."""
    masked = text
    for _ in range(_MOST_PASSES):
        before = masked
        masked = mask_context(" ".join(masked.replace(EMPTY, " ").split()))
        masked = _cut(" ".join(map(_mask_of, mask_web(masked).split())))
        if masked == before:
            break
    if len(text) <= _LONGEST_CACHED:
        if len(_texts) >= _TEXT_CACHE_SIZE:
            _texts.clear()
        _texts[text] = masked
    return masked


def _cut(text: str) -> str:
    """At most :data:`LONGEST` characters, cut between words where there is a space."""
    if len(text) <= LONGEST:
        return text
    return text[:LONGEST].rpartition(" ")[0] or text[:LONGEST]


def line_text(app: str, message: str) -> str:
    """The model's view of one line, ``app: masked message``; the app without process id, path and digits.

    Every second line of real traffic repeats a message to the letter: what became of it is remembered.
    """
    try:
        return _lines[app, message]
    except KeyError:
        pass
    name = _normal_app(app)
    text = f"{name}: {mask(message)}" if name else mask(message)
    if len(app) + len(message) <= _LONGEST_CACHED_LINE:
        if len(_lines) >= _LINE_CACHE_SIZE:
            _lines.clear()
        _lines[app, message] = text
    return text


def app_of(text: str) -> str:
    """Return the program that a line's text begins with, or "" where it names none."""
    app, colon, _ = text.partition(": ")
    return app if colon and " " not in app else ""


def _normal_app(app: str) -> str:
    try:
        return _apps[app]
    except KeyError:
        pass
    name = _APP_NOISE.sub("", app.rpartition("/")[2] or app).strip(":-_. ")
    if len(app) <= _LONGEST_CACHED_LINE:
        if len(_apps) >= _APP_CACHE_SIZE:
            _apps.clear()
        _apps[app] = name
    return name
