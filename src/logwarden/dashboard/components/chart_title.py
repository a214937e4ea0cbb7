"""The line above a chart: its name, its unit, and what its colours mean."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import streamlit as st

from logwarden.api.record import Severity


def chart_title(name: str, unit: str, colours: Mapping[Severity, str]) -> None:
    """Draw the title; ``colours`` maps the names of the series to their colours."""
    legend = "".join(
        f"<span><i style='background:{colour}'></i>{escape(key.value)}</span>" for key, colour in colours.items()
    )
    st.html(f"<div class='chart-title'><b>{escape(name)}</b><span class='every'>{escape(unit)}</span>{legend}</div>")
