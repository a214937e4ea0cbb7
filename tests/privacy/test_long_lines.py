"""Masking takes time in proportion to the length of a line, whatever a sender puts into it."""

from __future__ import annotations

import time
from itertools import product

import pytest

from logwarden.mask import mask
from logwarden.privacy import Privacy
from logwarden.privacy.credentials import hide_secrets
from logwarden.text.sensitive import EMAIL, user_names

KEY = b"a key of sixteen bytes or more"
PRIVACY = Privacy(["ip", "user", "mac", "email", "secret"], KEY)
BEGINNINGS = (
    *("a", "7", ":", "-", ".", "=", '"', "'", "@", "a.", "a@", "00:", "0-", "://", "1.1."),
    *("-----BEGIN ", "-----BEGIN PRIVATE KEY-----", "eyJ-", "eyJaaaaaaaaaaaa.", "CRON ", "CRON(", "user ", "for user"),
    *('password="', "password: ", "authorization: ", "bearer ", "secret 1 ", "http://a:", "xoxa-", "gho_", "by a "),
)
"""What a pattern could take for the beginning of something."""
ENDINGS = ("", " eyJ://CRON@token=")  # the second holds what patterns are only tried for
SHORT, TIMES = 8_000, 8
"""With time in proportion to the square of the length, the longer line would take 64 times that of the shorter."""
MOST = 3 * TIMES
_MEASURABLE = 1e-3


def cpu_seconds(line: str) -> float:
    """Return the least processor time of some tries, each long enough to be measured."""
    seconds, repeats = [], 1
    while len(seconds) < 3:
        start = time.process_time()
        for _ in range(repeats):
            PRIVACY.text(line)
        if (took := time.process_time() - start) < _MEASURABLE:
            repeats *= 4
        else:
            seconds.append(took / repeats)
    return min(seconds)


@pytest.mark.parametrize(("beginning", "ending"), list(product(BEGINNINGS, ENDINGS)))
def test_a_line_of_any_length_is_masked_in_proportion_to_it(beginning: str, ending: str) -> None:
    short, long = (beginning * (size // len(beginning)) + ending for size in (SHORT, SHORT * TIMES))
    assert cpu_seconds(long) < MOST * cpu_seconds(short)


def test_what_only_begins_like_something_stays() -> None:
    for text in ("eyJhbGciOiJIUzI1NiJ9 and token", "see http://host:80/ or key", "a.b@host and pin"):
        assert PRIVACY.text(text) == text


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("x-eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc", "x-SECRET"),
        ("git+https://grace:hunter2@git.example.org", "git+https://grace:SECRET@git.example.org"),
        ("1http://grace:hunter2@git.example.org", "1http://grace:SECRET@git.example.org"),
    ],
)
def test_secrets_are_found_inside_of_words(text: str, masked: str) -> None:
    assert hide_secrets(text) == masked


def test_addresses_side_by_side_are_found() -> None:
    found = [match[0] for match in EMAIL.finditer("a@b.cd+x@y.z, <q.r@s-t.uv>") if "@" in match[0]]
    assert found == ["a@b.cd", "+x@y.z", "q.r@s-t.uv"]


def test_the_user_of_a_cron_job_is_found_behind_other_words() -> None:
    assert list(user_names("CRON[7]: info: (mallory) CMD (run)")) == ["mallory"]
    assert list(user_names("cron says: CRON[7]: (mallory) CMD")) == ["mallory"]


def test_templates_of_long_words_are_cut() -> None:
    assert len(mask("DHCPACK(" * 100_000)) < 10_000
