"""Mining of templates, for training."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from logwarden.templates.frozen import WILDCARD, Templates

_DEPTH: Final = 5
_SIMILARITY: Final = 0.6
_MAX_CHILDREN: Final = 1000
_LEAST_VALUES: Final = 8

_KEY_WORDS_TEXT: Final = """
    up down accepted failed failure fail succeeded success successful successfully unsuccessful master backup fault
    enabled disabled enable disable allow allowed deny denied permit permitted drop dropped accept reject rejected
    refused pass passed block blocked connect connected disconnect disconnected open opened close closed start started
    starting stop stopped stopping restart restarted reload reloaded established idle active passive inactive connect
    opensent openconfirm full init 2way exstart exchange loading attempt waiting expired timeout added removed add
    remove created deleted create delete loaded unloaded online offline lost found restored reachable unreachable valid
    invalid unknown known yes no true false on off ok error errors warning warn critical crit fatal alert emergency
    notice info debug normal abnormal increased decreased login logout entered left entering leaving enter exit exited
    exceeded cleared set unset raised in out sent received rcvd send receive read write get post put head patch options
    locked unlocked mismatch match matched correct incorrect corrected uncorrected detected not without with alive dead
    killed terminated terminating aborted abort crashed segfault healthy unhealthy degraded running root badrequest
    nxdomain servfail refused nodata dhcpack dhcpnak dhcpdecline dhcpdiscover dhcpoffer dhcprequest dhcprelease
    red yellow green major minor high low first last
"""
_KEY_WORDS: Final = frozenset(_KEY_WORDS_TEXT.split())
_PUNCTUATION: Final = ".,;:!?()[]\"'|*-"
_FIXED: Final = re.compile(r"\[[A-Z0-9]{5}-[A-Z0-9]{5}\]|%\S+-\d-|(?:status|agent|DPT|PROTO|IN|OUT)=")

_Tokens = tuple[str, ...]


def _is_key(token: str) -> bool:
    """Whether a token says what happened, so that texts which differ in it are never one template."""
    return token.strip(_PUNCTUATION).lower() in _KEY_WORDS or _FIXED.match(token) is not None


class TemplateMiner:
    """Collects masked texts and mines their templates with Drain (He et al., ICWS 2017).

    Masking has already replaced what varies by kind, so what is left to find is free text, such as names that no mask
    knows. Two rules keep texts apart that Drain alone would merge: a word such as ``up``, ``denied`` or ``status=404``
    never becomes a wildcard, nor does a position at which fewer than eight different words were seen.

    drain3 is imported when a miner is frozen: detecting does without it.
    """

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, text: str) -> None:
        """Count one masked text."""
        self._counts[text] += 1

    def freeze(self) -> Templates:
        """The templates of all texts so far. The order in which they were added makes no difference."""
        drain = _drain()
        members: dict[int, list[_Tokens]] = defaultdict(list)
        # The commonest first: they make the clusters that rare ones join.
        for text, _ in sorted(self._counts.items(), key=lambda item: (-item[1], item[0])):
            cluster, _ = drain.add_log_message(text)
            members[cluster.cluster_id].append(tuple(text.split()))
        return Templates(template for texts in members.values() for template in _split(texts))


def _drain() -> Any:
    """Drain with a match that respects key words."""
    from drain3.drain import Drain

    class KeyWordDrain(Drain):  # type: ignore[misc, unused-ignore]
        def get_seq_distance(self, seq1: Sequence[str], seq2: Sequence[str], include_params: bool) -> tuple[float, int]:
            for one, other in zip(seq1, seq2, strict=True):
                if one != other and (_is_key(one) or _is_key(other)):
                    return 0.0, 0
            return super().get_seq_distance(seq1, seq2, include_params)  # type: ignore[no-any-return]

    return KeyWordDrain(
        depth=_DEPTH,
        sim_th=_SIMILARITY,
        max_children=_MAX_CHILDREN,
        param_str=WILDCARD,
        parametrize_numeric_tokens=False,
    )


def _split(texts: Sequence[_Tokens]) -> Iterator[str]:
    """Templates of one cluster: split at the first position that takes too few values to be free text."""
    columns = [set(column) for column in zip(*texts, strict=True)]
    for position, values in enumerate(columns):
        if 1 < len(values) < _LEAST_VALUES:
            for value in sorted(values):
                yield from _split([tokens for tokens in texts if tokens[position] == value])
            return
    yield _template(columns, texts)


def _template(columns: Iterable[set[str]], texts: Sequence[_Tokens]) -> str:
    return " ".join(word if len(values) == 1 else WILDCARD for word, values in zip(texts[0], columns, strict=True))
