"""Lines over HTTP, as curl, agents and the OpenTelemetry Collector send them.

One application for both places: ``logwarden up`` hands what arrives to its spool or to Kafka, ``logwarden run ingest``
to Kafka. Requests are answered with success only when the lines are durable there. Light to import: the server itself
is in :mod:`logwarden.ingest.listener`, the application in :mod:`logwarden.ingest.app`.
"""

PATH = "/v1/logs"
"""Where lines and OTLP are sent."""
