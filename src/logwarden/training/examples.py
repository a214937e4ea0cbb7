"""What the language model learns from: texts of lines and of units with labels, and explanations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from logwarden.channels.text import unit_text, usual_templates
from logwarden.explain import training_pairs
from logwarden.language.formulation import ANOMALY, NORMAL
from logwarden.templates import Templates
from logwarden.training.labels import anomalous_templates
from logwarden.training.language import Example
from logwarden.units import Unit

LabelledUnits = Sequence[tuple[Unit, bool]]
"""Units and, for each, whether it is normal."""


def detection_examples(units: LabelledUnits, masked: Counter[str], templates: Templates) -> list[Example]:
    """Return one example per distinct text of a line or unit, weighted by the square root of its count.

    Parameters
    ----------
    units
        Labelled units. A unit's text is labelled as the unit, and left out where a fault touched the unit but brought
        none of its lines; a line's text is labelled by whether faults bring its template.
    masked
        How often each masked line came, before templates.
    """
    return [*_unit_examples(units, templates), *_line_examples(units, masked, templates)]


def explanation_examples(seed: int, count: int) -> list[Example]:
    """Return invented evidence with a sentence that tells it; a longer list begins with the shorter one."""
    return [Example("explain", prompt, text) for prompt, text in training_pairs(seed, count)]


def _unit_examples(units: LabelledUnits, templates: Templates) -> Iterator[Example]:
    usual = usual_templates([unit for unit, normal in units if normal])
    anomalous = _anomalous(units)
    counts: Counter[tuple[str, str]] = Counter()
    for unit, normal in units:
        unusual = Counter({template: count for template, count in unit.counts.items() if template not in usual})
        # During a fault its hosts go on with their everyday life: without a line that faults bring, nobody can tell.
        if unusual and (normal or any(anomalous[template] for template in unusual)):
            _, text = unit_text(unusual, lambda template: templates.text_of(template) or "")
            counts[text, NORMAL if normal else ANOMALY] += 1
    for (text, label), count in counts.items():
        yield Example("detect", text, label, count**0.5)


def _line_examples(units: LabelledUnits, masked: Counter[str], templates: Templates) -> Iterable[Example]:
    anomalous = _anomalous(units)
    counts = Counter(template for unit, _ in units for template in unit.counts.elements())
    texts = {templates.text_of(template) or "": count for template, count in counts.items()}
    # The single texts behind templates with a wildcard too: that is what an unknown text looks like.
    for text, count in {**masked, **texts}.items():
        label = ANOMALY if anomalous.get(templates.id_of(text), False) else NORMAL
        yield Example("detect", text, label, count**0.5)


def _anomalous(units: LabelledUnits) -> dict[int, bool]:
    return anomalous_templates([unit for unit, _ in units], [normal for _, normal in units])
