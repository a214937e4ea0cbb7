"""What every backend of explanations offers."""

from __future__ import annotations

from typing import Protocol

from logwarden.api.record import AnomalyRecord, Explanation
from logwarden.explain import plain


class Explainer(Protocol):
    """Writes the explanation of a record. May be slow; may be called from several threads."""

    def explain(self, record: AnomalyRecord) -> Explanation:
        """Return an explanation, the plain rendering where the backend has no better one; never raises for a record."""
        ...

    def close(self) -> None:
        """Let go of connections; the explainer is not used afterwards."""
        ...


class PlainExplainer:
    """Renders the evidence without a model."""

    def explain(self, record: AnomalyRecord) -> Explanation:
        """Return the plain rendering."""
        return plain.render(record)

    def close(self) -> None:
        """Nothing to let go of."""
