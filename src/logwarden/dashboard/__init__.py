"""The pages that show what the store holds. See docs/dashboard.md.

Only the page scripts import Streamlit: starting the dashboard from another program costs a process, not an import.
"""

from __future__ import annotations

from logwarden.dashboard.process import launch

__all__ = ["launch"]
