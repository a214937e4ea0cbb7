"""Kafka: the hand-off between collection and detection where these are not one process."""
