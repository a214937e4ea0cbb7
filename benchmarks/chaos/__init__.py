"""Break things while numbered lines flow through Kafka, and account for every one: ``python -m benchmarks.chaos``.

Each fault gets a Kafka, a topic and a store of its own. In the end every line that was sent has to be in Kafka, and
every line in Kafka has to be counted once in the store: as stored, as a dead letter, or as lost at a named place.
"""
