"""Explanations: evidence turned into text for a person, checked so that it states only the evidence."""

from logwarden.explain.check import faithful
from logwarden.explain.plain import case_title, render

__all__ = ["case_title", "faithful", "render"]
