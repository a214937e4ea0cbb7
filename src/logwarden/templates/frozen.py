"""The frozen set of templates that serving uses."""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

from logwarden.errors import InvalidInputError

WILDCARD: Final = "*"
"""Stands in a template for one word that varies. A word of T5's vocabulary."""

CACHE_SIZE: Final = 65_536
_FORMAT: Final = 1

_Tokens = tuple[str, ...]


def template_id(text: str) -> int:
    """48-bit id of a template text: the same in every process and every release."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).digest(), "big")


def display_id(identifier: int) -> str:
    """An id as people see it: 12 hexadecimal digits."""
    return f"{identifier:012x}"


class Templates:
    """Known templates, and the ids of any text.

    A text that matches no template gets the id of itself, so nothing is learned while serving and ids do not depend on
    what was seen before.

    Parameters
    ----------
    texts
        Template texts: words separated by one space, ``*`` for a word that varies.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self.known: dict[int, str] = {}
        self.drops = 0
        """How often texts of unknown templates were dropped to make room; who remembers ids has to ask anew then."""
        self._patterns: dict[tuple[int, str], list[_Tokens]] = {}
        self._ids: dict[str, int] = {}
        self._recent: dict[int, str] = {}
        self._less_recent: dict[int, str] = {}
        self._words: list[tuple[int, frozenset[str]]] | None = None
        for text in sorted(set(texts)):
            self._index(text)
        for patterns in self._patterns.values():
            patterns.sort(key=lambda tokens: tokens.count(WILDCARD))

    def __len__(self) -> int:
        return len(self.known)

    def id_of(self, text: str) -> int:
        """Id of the template that the text belongs to, else of the text itself."""
        try:
            return self._ids[text]
        except KeyError:
            return self._look_up(text)

    def text_of(self, identifier: int) -> str | None:
        """Template text of an id: of every known one, and of unknown ones unless so many others came since."""
        return self.known.get(identifier) or self._recent.get(identifier) or self._less_recent.get(identifier)

    def nearest(self, text: str) -> tuple[int, float] | None:
        """The known template most like a text and their similarity in [0, 1]; None when no template is known.

        Similarity is the Dice coefficient of the two sets of words. Compares with every template: for anomalies only.
        """
        if self._words is None:
            self._words = [(key, frozenset(known.split()) - {WILDCARD}) for key, known in self.known.items()]
        words = frozenset(text.split())
        scored = ((_dice(words, other), key) for key, other in self._words)
        best = max(scored, key=lambda pair: (pair[0], -pair[1]), default=None)
        return None if best is None else (best[1], best[0])

    def to_json(self) -> str:
        """The templates as a JSON document."""
        return json.dumps({"format": _FORMAT, "templates": sorted(self.known.values())}, ensure_ascii=True, indent=0)

    @classmethod
    def from_json(cls, document: str) -> Templates:
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        InvalidInputError
            If the document is not one.
        """
        try:
            content = json.loads(document)
            texts = content["templates"]
            if content["format"] != _FORMAT or not all(isinstance(text, str) for text in texts):
                raise ValueError("another format")
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise InvalidInputError(
                f"the templates of the model revision cannot be read ({error}): train it again or restore the file"
            ) from error
        return cls(texts)

    def _index(self, text: str) -> None:
        tokens = tuple(text.split())
        self.known[template_id(text)] = text
        if WILDCARD in tokens:
            self._patterns.setdefault((len(tokens), tokens[0]), []).append(tokens)

    def _look_up(self, text: str) -> int:
        if len(self._ids) >= CACHE_SIZE:
            # Ids and texts go together, or an id would be known whose text is not.
            self._ids.clear()
            self.drops += 1
            self._less_recent, self._recent = self._recent, {}
        identifier = template_id(text)
        if identifier not in self.known:
            template = self._match(tuple(text.split()))
            if template is not None:
                identifier = template_id(template)
            else:
                self._recent[identifier] = text
        self._ids[text] = identifier
        return identifier

    def _match(self, tokens: _Tokens) -> str | None:
        """The matching template with the fewest wildcards."""
        if not tokens:
            return None
        for first in (tokens[0], WILDCARD):
            for pattern in self._patterns.get((len(tokens), first), ()):
                if all(one in (WILDCARD, other) for one, other in zip(pattern, tokens, strict=True)):
                    return " ".join(pattern)
        return None


def _dice(one: frozenset[str], other: frozenset[str]) -> float:
    total = len(one) + len(other)
    return 2.0 * len(one & other) / total if total else 0.0
