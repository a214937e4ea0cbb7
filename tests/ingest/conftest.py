"""A spool and listeners on free ports, as the other sources are tested."""

from __future__ import annotations

from tests.sources.conftest import collect, serve, spool

__all__ = ["collect", "serve", "spool"]
