"""Logwarden finds and explains anomalies in network logs."""

__version__ = "0.1.0"
