"""Children of both resources, built as pure functions from the parsed resource to plain values."""

from logwarden_operator.children.model import model_children
from logwarden_operator.children.pipeline import pipeline_children

__all__ = ["model_children", "pipeline_children"]
