"""The list of anomalies with the details of the selected one.

Streamlit's table knows a selection by row number, which moves when a row is added above; this one knows it by id, and
shows the details in place of the list where the screen is narrow.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

_HERE = Path(__file__).parent
_mount = st.components.v2.component(
    "logwarden_browser",
    css=(_HERE / "browser.css").read_text(encoding="utf-8"),
    js=(_HERE / "browser.js").read_text(encoding="utf-8"),
)


def browser(data: dict[str, Any], *, key: str, on_event: Callable[[dict[str, Any]], None]) -> None:
    """Draw the list and the details.

    Parameters
    ----------
    data
        ``rows`` and ``selected`` as :mod:`logwarden.dashboard.views` makes them, ``total``, ``more``
        (there are older rows), ``case`` (title of the case that the list is limited to, or None), ``lead`` (id of the
        anomaly that is shown where the address names none), ``empty`` (title and text for an empty list).
    key
        Key of the component in the session.
    on_event
        Called with what the person did: ``{"kind": "select" | "case" | "feedback" | "more", "id": ..., ...}``.
    """

    def handle() -> None:
        event = st.session_state[key].get("event")
        if event is not None:
            on_event(event)

    _mount(key=key, data=data, on_event_change=handle)
