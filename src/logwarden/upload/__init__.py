"""Sends files to an HTTP endpoint, in parts that are each acknowledged, and goes on after a break."""
