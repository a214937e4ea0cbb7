"""The hosts that began to send last: who sends a first line sees that it arrived."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape

import streamlit as st

from logwarden.dashboard.facts import duration
from logwarden.store import NewHost


def newest_hosts(hosts: Sequence[NewHost]) -> None:
    """Draw one line with how many lines each host has sent, and how long ago the last of them was stored."""
    now = datetime.now(UTC)
    entries = "".join(f"<span>{_entry(host, now)}</span>" for host in hosts)
    st.html(f"<div class='newest-hosts'><span class='what'>Newest hosts</span>{entries}</div>")


def _entry(host: NewHost, now: datetime) -> str:
    lines = f"{host.lines:,} line{'s' * (host.lines != 1)}"
    ago = duration(max(0, round((now - host.last).total_seconds()))) or "0 s"
    return f"<b>{escape(host.host)}</b> {lines}, {ago} ago"
