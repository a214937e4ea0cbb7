"""The hosts with most anomalies, as a table whose rows lead to them."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from urllib.parse import quote

import streamlit as st

from logwarden.store import HostSummary

_HEAD = (
    "<thead><tr><th scope='col'>Host</th><th scope='col' colspan='2'>Anomalies</th>"
    "<th scope='col' class='number'>Lines</th></tr></thead>"
)


def host_table(hosts: Sequence[HostSummary]) -> None:
    """Draw one row per host."""
    most = max((host.anomalies for host in hosts), default=0)
    rows = "".join(_row(host, most) for host in hosts)
    st.html(f"<table class='hosts'>{_HEAD}<tbody>{rows}</tbody></table>")


def _row(host: HostSummary, most: int) -> str:
    name = escape(host.host)
    if host.anomalies:
        name = f"<a href='anomalies?host={quote(host.host, safe='')}' target='_self'>{name}</a>"
    severity = host.severity.value if host.severity else ""
    bar = f"<i class='{severity}' style='width:{100 * host.anomalies / most:.1f}%'></i>" if host.anomalies else ""
    return (
        f"<tr><td>{name}</td><td class='share'>{bar}</td><td class='number'>{host.anomalies:,}</td>"
        f"<td class='number'>{host.lines:,}</td></tr>"
    )
