"""Labels for single lines, from incidents that are only known by time and host."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from logwarden.units import Unit

# A template is taken for a fault's own when it is this many times as frequent during faults as in normal life.
_RATIO = 20.0


def anomalous_templates(units: Sequence[Unit], normal: Sequence[bool]) -> dict[int, bool]:
    """Tell the templates that faults bring from those of everyday life.

    A fault's time and hosts are known, not its lines: most lines beside them are everyday ones. A template counts as
    anomalous when its share of the lines during faults is at least 20 times its share in normal life.

    Parameters
    ----------
    units, normal
        Units and, for each, whether it is normal.

    Returns
    -------
    dict
        For every template, whether it is anomalous.
    """
    counts: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0])
    totals = [0, 0]
    for unit, is_ok in zip(units, normal, strict=True):
        for template, count in unit.counts.items():
            counts[template][is_ok] += count
            totals[is_ok] += count
    return {
        template: in_fault * (totals[1] + 1) >= _RATIO * (in_normal + 0.5) * (totals[0] + 1) * 0.5
        for template, (in_fault, in_normal) in counts.items()
    }
