"""Explanations: evidence turned into text for a person, checked so that it states only the evidence."""

from logwarden.explain.check import faithful
from logwarden.explain.explainer import Explainer
from logwarden.explain.factory import make_explainer
from logwarden.explain.phrases import ranked
from logwarden.explain.plain import case_title, render
from logwarden.explain.wording import SLOT_WORDS, training_pairs
from logwarden.explain.worker import ExplanationWorker, WorkerCounts

__all__ = [
    "SLOT_WORDS",
    "Explainer",
    "ExplanationWorker",
    "WorkerCounts",
    "case_title",
    "faithful",
    "make_explainer",
    "ranked",
    "render",
    "training_pairs",
]
