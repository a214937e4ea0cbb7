"""From an AnomalyModel's ``spec.explanation`` to the explainer it asks for."""

from __future__ import annotations

from pydantic import SecretStr

from logwarden.api.anomaly_model import ExplanationSpec
from logwarden.errors import InvalidInputError
from logwarden.explain.builtin import BuiltinExplainer, TextGenerator
from logwarden.explain.explainer import Explainer, PlainExplainer


def make_explainer(
    spec: ExplanationSpec, *, model: TextGenerator | None = None, api_key: SecretStr | None = None
) -> Explainer:
    """Return the explainer that a specification asks for.

    Parameters
    ----------
    spec
        ``spec.explanation`` of an AnomalyModel.
    model
        The loaded language model, which backend ``builtin`` writes with.
    api_key
        Content of ``openAI.apiKeySecretRef``, where there is one.

    Raises
    ------
    InvalidInputError
        If backend ``builtin`` is asked for without a model, or the endpoint's address is not usable.
    """
    if spec.backend == "none":
        return PlainExplainer()
    if spec.backend == "OpenAI" and spec.openai is not None:
        # Imported here: httpx takes longer to load than everything else in this package.
        from logwarden.explain.endpoint import EndpointConfig
        from logwarden.explain.openai import OpenAIExplainer

        config = EndpointConfig(url=spec.openai.url, model=spec.openai.model, api_key=api_key)
        return OpenAIExplainer(config, spec.mask)
    if model is None:
        raise InvalidInputError("explanation.backend builtin needs a language model that can write; none was loaded")
    return BuiltinExplainer(model)
