"""Evaluation: incidents found, false alarms, time to detection, beside trivial baselines."""

from logwarden.evaluation.alarms import Alarm, IncidentMetrics, measure
from logwarden.evaluation.report import evaluate

__all__ = ["Alarm", "IncidentMetrics", "evaluate", "measure"]
