"""A small real network in Linux namespaces that records labelled, real syslog."""

SIMULATED_DAY_SECONDS = 1440
"""Real seconds that one simulated day lasts."""
