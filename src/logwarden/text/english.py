"""Word lists that the faithfulness check reads text with."""

from __future__ import annotations

import re
from importlib import resources

import yaml

_LISTS = {
    name: frozenset(words.split())
    for name, words in yaml.safe_load(
        resources.files(__package__).joinpath("english.yaml").read_text(encoding="utf-8")
    ).items()
}

_ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
NUMBER_WORDS = {word: value for value, word in enumerate(_ONES)} | {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
    "once": 1, "twice": 2, "thrice": 3, "single": 1, "hundred": 100, "thousand": 1_000, "million": 1_000_000,
    "billion": 1_000_000_000,
}  # fmt: skip
"""Words that state a number. Compounds are read by :func:`spoken_numbers`."""

_SCALES = {100, 1_000, 1_000_000, 1_000_000_000}

VAGUE_AMOUNTS = re.compile(
    r"\b(?:dozens?|scores of|hundreds|thousands|millions|billions|tens of|doubled?|tripled?|quadrupled?|halved|"
    r"half|a third|a quarter|\w+fold|(?:a )?couple of|several hundred|several thousand)\b",
    re.IGNORECASE,
)
"""Amounts that no evidence states."""

_WORD = "|".join(sorted(NUMBER_WORDS, key=len, reverse=True))
_SPOKEN = re.compile(rf"\b(?:a )?((?:{_WORD})(?:(?:[ -]|,? and |,? )(?:{_WORD}))*)\b", re.IGNORECASE)
_IDIOMS = re.compile(
    r"\b(?:at once|once more|once again|no one|this one|that one|the one|which one|one of|one another|one by one)\b",
    re.IGNORECASE,
)


def spoken_numbers(text: str) -> list[tuple[str, int, tuple[int, int]]]:
    """Return numbers that are written as words: the words, their value, and where they stand."""
    idioms = [match.span() for match in _IDIOMS.finditer(text)]
    return [
        (match[1], _spoken_value(re.findall(r"[a-z]+", match[1].lower())), match.span())
        for match in _SPOKEN.finditer(text)
        if not any(start <= match.start(1) < end for start, end in idioms)
    ]


def _spoken_value(words: list[str]) -> int:
    total = group = 0
    for word in words:
        value = NUMBER_WORDS.get(word)
        if value is None:  # "and"
            continue
        if value not in _SCALES:
            group += value
        elif value == 100:
            group = max(group, 1) * value
        else:
            total, group = total + max(group, 1) * value, 0
    return total + group


DISMISSALS = re.compile(
    r"\b(?:no (?:action|further action|response|reaction|investigation) (?:is |are )?(?:needed|required|necessary)|"
    r"(?:can|may|should|could|please|must|to) (?:be )?(?:safely )?(?:ignored?|disregard(?:ed)?|dismiss(?:ed)?)|"
    r"(?:nothing|no (?:need|reason)) to (?:worry|do|be)|harmless|benign|false (?:alarm|positive)|safe to ignore|"
    r"not an anomaly|no anomal(?:y|ies)|(?:all|everything) (?:is|looks|was|seems) (?:well|fine|normal|ok|okay|good)|"
    r"normal (?:behaviou?r|operation|activity)|no (?:problem|issue|threat|danger|risk)s?)\b",
    re.IGNORECASE,
)
"""Statements that play an anomaly down: no evidence can say that, so only an injected or invented claim does."""

VERDICTS = re.compile(
    r"\b(?:compromis\w+|hack\w*|breach\w*|intru\w+|malware|ransomware|virus|backdoor\w*|exfiltrat\w+|attack\w*|malicious\w*|"
    r"stolen|infected|sabotag\w+|exploit\w*|brute[- ]forc\w+|unauthori[sz]ed)\b",
    re.IGNORECASE,
)
"""Judgements of intent, which are allowed only as a possibility."""

HEDGES = re.compile(
    r"\b(?:may|might|could|can|possib\w+|perhaps|whether|if|check|consistent with|look for|suggests?|suspect\w*|"
    r"potential\w*|likely|verify|investigate|rule out|typical of|resembles?)\b",
    re.IGNORECASE,
)

TERMS = _LISTS["terms"]
"""Terms of the field, and the words that masking writes: they name nobody."""

FUNCTION_WORDS = _LISTS["function_words"]

COMMON_WORDS = FUNCTION_WORDS | _LISTS["common_words"]
"""Words that may follow ``user`` or ``host`` without being a name."""

SENTENCE_STARTERS = COMMON_WORDS | _LISTS["sentence_starters"]
"""Words that may begin a sentence with a capital without being a name."""

ORDINARY_ENDINGS = ("ing", "ly", "tion", "tions", "ment", "ments", "ity")
