"""The operator's own metrics."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

SECONDS = Histogram(
    "logwarden_operator_reconcile_seconds",
    "Time of a reconcile.",
    ["kind"],
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
ERRORS = Counter(
    "logwarden_operator_reconcile_errors_total", "Reconciles that failed and will be tried again.", ["kind"]
)
QUEUE = Gauge("logwarden_operator_queue_length", "Resources that wait for a reconcile.")
WRITES = Counter("logwarden_operator_writes_total", "Requests to the API server that change something.")
HEARTBEAT = Gauge("logwarden_operator_heartbeat_age_seconds", "Time since the watch last told of the heartbeat.")
MISSED = Counter("logwarden_operator_missed_events_total", "Changes that no watch told of, found by looking.")
UNREAD = Gauge("logwarden_operator_unread_pods", "Ready pods whose counters could not be read.")
CONDITIONS = Gauge(
    "logwarden_operator_resources", "Resources by kind, condition and status.", ["kind", "condition", "status"]
)
