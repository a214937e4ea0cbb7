"""From an object of the API server to a typed resource, or to what is wrong with it in words."""

from __future__ import annotations

from typing import TypeVar

from pydantic import ValidationError

from logwarden.api.anomaly_model import AnomalyModel
from logwarden.api.crd import to_yaml
from logwarden.api.load import ResourceError, load_resources
from logwarden.api.log_pipeline import LogPipeline
from logwarden_operator.ownership import Child, Owner

AnyResource = TypeVar("AnyResource", AnomalyModel, LogPipeline)
_MAX_SHOWN = 5


class InvalidSpecError(Exception):
    """A spec that the API server let through is wrong; the message names the fields."""


def owner_of(raw: Child) -> Owner:
    """Return the owner of the children of a resource."""
    metadata = raw["metadata"]
    return Owner(raw["kind"], metadata["namespace"], metadata["name"], metadata["uid"])


def parse(kind: type[AnyResource], raw: Child) -> AnyResource:
    """Return the typed resource.

    Raises
    ------
    InvalidSpecError
        If it is wrong in a way that the API server cannot see, such as a regular expression that is none.
    """
    values = {key: raw[key] for key in ("apiVersion", "kind", "metadata", "spec") if key in raw}
    try:
        return kind.model_validate(values, by_alias=True, by_name=False)
    except ValidationError:
        raise InvalidSpecError(_in_words(values)) from None


def _in_words(values: Child) -> str:
    """Return the mistakes as a file with this resource would be told, without the places in the file."""
    metadata = {key: values["metadata"][key] for key in ("name", "namespace")}
    try:
        load_resources(to_yaml({**values, "metadata": metadata}))
    except ResourceError as error:
        shown = [f"{problem.field}: {problem.message}" for problem in error.problems[:_MAX_SHOWN]]
        return "; ".join(shown)
    return "the spec does not fit this version of the operator"
