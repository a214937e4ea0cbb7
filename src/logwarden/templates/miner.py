"""Mining of templates, for training."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from logwarden.templates.frozen import WILDCARD, Templates

_DEPTH: Final = 5
_SIMILARITY: Final = 0.7
_MAX_CHILDREN: Final = 200


class TemplateMiner:
    """Collects masked texts and mines their templates with Drain (He et al., ICWS 2017).

    Masking has already replaced what varies by kind, so the similarity is set high: only what is free text (user
    names, client names) is left to find. drain3 is imported when the first miner is made: serving does without it.
    """

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, text: str) -> None:
        """Count one masked text."""
        self._counts[text] += 1

    def freeze(self) -> Templates:
        """The templates of all texts so far."""
        from drain3.drain import Drain

        drain: Any = Drain(
            depth=_DEPTH,
            sim_th=_SIMILARITY,
            max_children=_MAX_CHILDREN,
            param_str=WILDCARD,
            parametrize_numeric_tokens=False,
        )
        for text in self._counts:
            drain.add_log_message(text)
        return Templates(cluster.get_template() for cluster in drain.clusters)
