"""What the language model learns from labelled units."""

from __future__ import annotations

from collections import Counter

from logwarden.templates import Templates
from logwarden.training.examples import detection_examples
from logwarden.units import Unit
from tests.channels.builders import unit

EVERYDAY = "sshd: Accepted publickey for USER"
RARE = "cron: yearly job"
BROKEN = "bgpd: Hold Timer Expired"


def targets(units: list[tuple[Unit, bool]], templates: Templates) -> dict[str, set[str]]:
    examples = detection_examples(units, Counter(), templates)
    return {text: {e.target for e in examples if e.text == text} for text in {e.text for e in examples}}


def test_what_a_fault_touches_is_an_example_of_it_only_with_a_line_that_it_brings() -> None:
    templates = Templates([EVERYDAY, RARE, BROKEN])
    units = [(unit(templates, "r1", 30.0 * slot, [EVERYDAY]), True) for slot in range(400)]
    units += [(unit(templates, "r1", 12000.0 + 30.0 * slot, [EVERYDAY, RARE]), True) for slot in range(8)]
    units += [(unit(templates, "r1", 13000.0, [EVERYDAY, RARE]), False)]
    units += [(unit(templates, "r1", 13030.0, [EVERYDAY, BROKEN]), False)]
    assert targets(units, templates) == {EVERYDAY: {"normal"}, RARE: {"normal"}, BROKEN: {"anomaly"}}
