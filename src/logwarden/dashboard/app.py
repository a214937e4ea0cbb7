"""Entry point of the pages: ``streamlit run app.py`` with the store in the environment variable LOGWARDEN_STORE."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from logwarden.dashboard import login, waiting
from logwarden.dashboard.session import open_store, store_location
from logwarden.store import StoreError

HERE = Path(__file__).parent
# Not a folder "pages": Streamlit would run those by itself, without this frame, when one is the first to be asked for.
SCREENS = HERE / "screens"


def main() -> None:
    """Draw the page that the address names, or say what is missing."""
    st.set_page_config(page_title="Logwarden", page_icon=str(HERE / "icon.svg"), layout="wide")
    st.logo(str(HERE / "logo.svg"), size="large")
    st.html(HERE / "style.css")
    if not login.may_pass():
        return
    page = st.navigation(
        [
            st.Page(SCREENS / "overview.py", title="Overview", icon=":material/monitoring:", default=True),
            st.Page(SCREENS / "anomalies.py", title="Anomalies", icon=":material/crisis_alert:"),
            st.Page(SCREENS / "cases.py", title="Cases", icon=":material/folder_open:"),
        ],
        position="top",
    )
    location = store_location()
    try:
        open_store(location)
    except StoreError as error:
        waiting.show(location, str(error))
    else:
        page.run()


main()
