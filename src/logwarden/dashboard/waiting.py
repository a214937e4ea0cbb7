"""What is shown until there is a store."""

from __future__ import annotations

import shlex

import streamlit as st

from logwarden.dashboard.session import open_store
from logwarden.store import StoreError


def show(location: str, problem: str) -> None:
    """Say what is missing and which command helps; go on by itself once the store can be opened."""
    st.title("Waiting for a store")
    st.markdown(
        "Logwarden keeps what it finds in a store, and this page shows it. There is none to show yet. "
        "Start a pipeline, or look through logs you have:"
    )
    detect = f"logwarden detect /var/log/syslog --store {shlex.quote(location)}"
    st.code(f"logwarden up -f examples/quickstart.yaml\n{detect}", language=None, wrap_lines=True)
    st.info(problem, icon=":material/database:")
    st.markdown(":gray[This page looks again every second.]")
    _look_again(location)


@st.fragment(run_every=1.0)
def _look_again(location: str) -> None:
    try:
        open_store(location)
    except StoreError:
        return
    st.rerun()
