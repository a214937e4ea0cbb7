"""Templates: ids that never change, matching, and texts that must stay apart."""

from __future__ import annotations

import subprocess
import sys

import pytest

from logwarden.errors import InvalidInputError
from logwarden.mask import line_text
from logwarden.templates import TemplateMiner, Templates, display_id, template_id

NAMES = ("ann", "bert", "cleo", "dora", "emil", "fred", "gina", "hugo", "ines", "jona")


def mine(*texts: str) -> Templates:
    miner = TemplateMiner()
    for text in texts:
        miner.add(text)
    return miner.freeze()


def test_known_text_has_the_id_of_its_own_text() -> None:
    templates = mine("cron: job done", "sshd: login")
    assert templates.id_of("cron: job done") == template_id("cron: job done")
    assert templates.text_of(templates.id_of("sshd: login")) == "sshd: login"
    assert set(templates.known.values()) == {"cron: job done", "sshd: login"}


def test_ids_are_48_bit_and_shown_as_12_digits() -> None:
    identifier = template_id("sshd: login")
    assert 0 <= identifier < 2**48
    assert len(display_id(identifier)) == 12
    assert int(display_id(identifier), 16) == identifier
    assert display_id(1) == "000000000001"


def test_id_is_the_same_in_another_process() -> None:
    program = "from logwarden.templates import template_id; print(template_id('sshd: login failed'))"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert int(output) == template_id("sshd: login failed")


def test_free_text_becomes_a_wildcard_and_matches_what_was_never_seen() -> None:
    templates = mine(*(f"app: task {name} took NUM ms" for name in NAMES))
    assert list(templates.known.values()) == ["app: task * took NUM ms"]
    assert templates.id_of("app: task zoe took NUM ms") == template_id("app: task * took NUM ms")


def test_two_spellings_are_not_yet_free_text() -> None:
    assert len(mine("app: task ann took NUM ms", "app: task bert took NUM ms")) == 2


def test_order_of_texts_makes_no_difference() -> None:
    texts = [f"app: task {name} took NUM ms" for name in NAMES] + ["app: task list is empty now", "sshd: login"]
    assert mine(*texts).to_json() == mine(*reversed(texts)).to_json()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("zebra: interface IFACE changed state to up", "zebra: interface IFACE changed state to down"),
        ("sshd: Accepted password for USER from IP port NUM", "sshd: Failed password for USER from IP port NUM"),
        ("app: the nightly backup job ended with success", "app: the nightly backup job ended with failure"),
        ("vrrp: (VI_NUM) Entering MASTER STATE now on IFACE", "vrrp: (VI_NUM) Entering BACKUP STATE now on IFACE"),
        ("nginx: IP GET PATH status=200 agent=curl", "nginx: IP GET PATH status=500 agent=curl"),
        ("fw: rule NUM action allowed for IP to IP", "fw: rule NUM action denied for IP to IP"),
        ("ospfd: AdjChg: Nbr IP on IFACE: Loading - Full", "ospfd: AdjChg: Nbr IP on IFACE: Loading - Init"),
        ("bgpd: [ABCDE-12345] peer IP in vrf default sent", "bgpd: [VWXYZ-67890] peer IP in vrf default sent"),
        ("rtr: %LINK-3-UPDOWN: Interface IFACE of IP changed", "rtr: %LINK-5-CHANGED: Interface IFACE of IP changed"),
    ],
)
def test_texts_with_different_key_words_stay_apart(one: str, other: str) -> None:
    # Enough variants of both that only the key word can keep them apart.
    texts = [f"{text} at site {name} now" for text in (one, other) for name in NAMES]
    templates = mine(*texts)
    assert templates.id_of(f"{one} at site {NAMES[0]} now") != templates.id_of(f"{other} at site {NAMES[0]} now")
    assert mine(one, other).id_of(one) != mine(one, other).id_of(other)


def test_template_with_fewest_wildcards_wins() -> None:
    templates = Templates(["a: x * *", "a: x y *"])
    assert templates.id_of("a: x y z") == template_id("a: x y *")
    assert templates.id_of("a: x q z") == template_id("a: x * *")


def test_unknown_text_has_its_own_id_and_teaches_nothing() -> None:
    templates = mine("cron: job done")
    before = templates.to_json()
    first = templates.id_of("kernel: something new happened")
    assert first == template_id("kernel: something new happened")
    assert first not in templates.known
    assert templates.text_of(first) == "kernel: something new happened"
    assert templates.id_of("kernel: something new happened") == first
    assert templates.to_json() == before


def test_id_of_something_never_seen_has_no_text() -> None:
    assert mine("cron: job done").text_of(12345) is None


def test_memory_stays_bounded_over_unknown_texts() -> None:
    templates = Templates(["a b"])
    for number in range(140_000):
        templates.id_of(f"text {number}")
    assert templates.text_of(template_id("text 139999")) == "text 139999"
    assert templates.text_of(template_id("text 0")) is None
    assert templates.id_of("text 0") == template_id("text 0")


def test_nearest_names_the_most_similar_known_template() -> None:
    templates = mine("sshd: Accepted password for USER", "cron: job done", "sshd: session closed")
    nearest = templates.nearest("sshd: Accepted token for USER")
    assert nearest is not None
    identifier, similarity = nearest
    assert templates.text_of(identifier) == "sshd: Accepted password for USER"
    assert similarity == pytest.approx(0.8)


def test_nearest_of_nothing_is_none() -> None:
    assert Templates().nearest("anything") is None


def test_json_brings_back_the_same_templates() -> None:
    templates = mine(*(f"app: task {name} took NUM ms" for name in NAMES), "é: |")
    again = Templates.from_json(templates.to_json())
    assert again.known == templates.known
    assert again.id_of("app: task zoe took NUM ms") == templates.id_of("app: task zoe took NUM ms")


@pytest.mark.parametrize(
    "document", ["", "[]", "{}", '{"format": 2, "templates": []}', '{"format": 1, "templates": [1]}']
)
def test_damaged_document_is_refused_in_one_line(document: str) -> None:
    with pytest.raises(InvalidInputError) as error:
        Templates.from_json(document)
    assert "templates" in str(error.value)
    assert "\n" not in str(error.value)


def test_serving_does_not_import_drain3() -> None:
    program = "import sys, logwarden.templates as t; t.Templates(['a *']).id_of('a b'); print('drain3' in sys.modules)"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "False"


def test_masked_lines_of_one_kind_share_an_id() -> None:
    templates = mine("sshd: Failed password for USER from IP port NUM ssh2")
    ids = {
        templates.id_of(line_text("sshd[7]", f"Failed password for {name} from 192.0.2.{number} port {number} ssh2"))
        for number, name in enumerate(NAMES)
    }
    assert ids == {template_id("sshd: Failed password for USER from IP port NUM ssh2")}
