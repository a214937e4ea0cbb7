"""Measures what Logwarden promises: see benchmarks/README.md."""
