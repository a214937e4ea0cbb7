"""Telling people: alerts about anomalies and about the pipeline itself, sent to an Alertmanager."""
