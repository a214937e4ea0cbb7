"""From a stream of lines to stored anomalies, the same for the spool of one machine and for Kafka."""
