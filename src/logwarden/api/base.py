"""What both resources are built from: strict models, field types, and rules that span several fields."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StringConstraints,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, PydanticCustomError

GROUP = "logwarden.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

ALLOWED_KEY = "x-logwarden-allowed"
"""Schema key with the allowed values in words. Only error messages and the reference read it."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """States in words what a field takes, where its schema (a pattern, mostly) would not tell a person."""

    text: str

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(core), ALLOWED_KEY: self.text}


class Rule(NamedTuple):
    """A condition on several fields of one object.

    ``cel`` is checked by the API server (``self`` is the object, defaults are already filled in), ``check`` does the
    same on one machine. Rules about changes (``oldSelf``) have no ``check``: a file has no past.
    """

    cel: str
    message: str
    field: str | None = None
    """Field to blame, in the spelling of YAML, or None for the object itself."""
    check: Callable[[Any], bool] | None = None


class Spec(BaseModel):
    """Base of everything a user writes: camelCase in YAML, unknown fields and wrong types refused."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
    )

    RULES: ClassVar[tuple[Rule, ...]] = ()

    @model_validator(mode="after")
    def _follow_rules(self) -> Self:
        for rule in self.RULES:
            if rule.check is not None and not rule.check(self):
                raise PydanticCustomError("rule", "{message}", {"message": rule.message, "field": rule.field})
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler(core)
        if cls.RULES:
            handler.resolve_ref_schema(schema)["x-kubernetes-validations"] = [_validation(rule) for rule in cls.RULES]
        return schema


def _validation(rule: Rule) -> dict[str, str]:
    field = {} if rule.field is None else {"fieldPath": f".{rule.field}"}
    return {"rule": rule.cel, "message": rule.message, **field}


class Status(BaseModel):
    """Base of what the operator reports. Unknown fields are kept: an older reader must bear a newer writer."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="allow")


def nested(model: type[BaseModel], description: str) -> Any:
    """Return a field whose object may be left out: all its own fields have defaults."""
    return Field(default_factory=model, description=description, json_schema_extra={"default": {}})


_DURATION = r"^[1-9][0-9]{0,8}(s|m|h|d|w)$"
_QUANTITY = r"^[0-9]+(\.[0-9]+)?(m|k|K|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$"
_DNS_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
_DNS_NAME = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"
_URL = r"^https?://[^\s/]+(/\S*)?$"

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_FACTORS = {
    "": 1.0,
    "m": 1e-3,
    **{letter: 1000.0**power for power, letter in enumerate("kMGTP", start=1)},
    "K": 1000.0,
    **{f"{letter}i": 1024.0**power for power, letter in enumerate("KMGTP", start=1)},
}


def _compiled(text: str) -> str:
    """Refuse what :mod:`re` does not take; the API server cannot check that."""
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        message = f"found '{text[:60]}', allowed: a regular expression; this is none: {error}"
        raise PydanticCustomError("rule", "{message}", {"message": message, "field": None}) from None
    return text


IsRegex = AfterValidator(_compiled)

Text = Annotated[str, StringConstraints(min_length=1, max_length=1024), Allowed("text of 1 to 1024 characters")]
Duration = Annotated[
    str, StringConstraints(pattern=_DURATION, max_length=10), Allowed("a duration such as 30s, 15m, 12h, 7d or 4w")
]
ByteSize = Annotated[
    str, StringConstraints(pattern=_QUANTITY, max_length=32), Allowed("a size such as 512Mi or 2Gi, as text")
]
Label = Annotated[
    str,
    StringConstraints(pattern=_DNS_LABEL, max_length=40),
    Allowed("at most 40 lower-case letters, digits and inner hyphens"),
]
ObjectName = Annotated[
    str,
    StringConstraints(pattern=_DNS_NAME, max_length=253),
    Allowed("at most 253 lower-case letters, digits, inner hyphens and dots"),
]
SecretKey = Annotated[
    str,
    StringConstraints(pattern=r"^[-._a-zA-Z0-9]+$", max_length=253),
    Allowed("letters, digits, hyphens, underscores and dots"),
]
Url = Annotated[
    str,
    StringConstraints(pattern=_URL, max_length=2048),
    Allowed("an address such as http://alertmanager.monitoring:9093"),
]
Port = Annotated[int, Field(ge=1, le=65535)]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Address = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9a-zA-Z.:%_-]+$", max_length=253),
    Allowed("a host name or IP address without a port, such as 127.0.0.1, 0.0.0.0 or ::"),
]


def duration_seconds(text: str) -> int:
    """Return the seconds of a duration such as ``7d``."""
    if not re.fullmatch(_DURATION, text):
        raise ValueError(f"found '{text}', allowed: a duration such as 30s, 15m, 12h, 7d or 4w")
    return int(text[:-1]) * _SECONDS[text[-1]]


def size_bytes(text: str) -> int:
    """Return the bytes of a Kubernetes quantity such as ``2Gi`` (1024-based) or ``2G`` (1000-based)."""
    if not re.fullmatch(_QUANTITY, text):
        raise ValueError(f"found '{text}', allowed: a size such as 512Mi or 2Gi")
    number = text.rstrip("mkKMGTPi")
    return int(float(number) * _FACTORS[text[len(number) :]])


class _IntOrString:
    """Schema of the API server for a quantity: a whole number or text."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {
            "x-kubernetes-int-or-string": True,
            "pattern": _QUANTITY,
            "maxLength": 32,
            ALLOWED_KEY: "a quantity such as 1, 500m or 16Gi",
        }


Quantity = Annotated[
    int | Annotated[str, StringConstraints(pattern=_QUANTITY, max_length=32)],
    _IntOrString(),
]


class Resources(Spec):
    """Compute resources of a container, as in a Pod."""

    limits: dict[str, Quantity] = Field(
        default_factory=dict,
        max_length=16,
        description="Upper bounds by resource name, such as `memory` or `nvidia.com/gpu`.",
    )
    requests: dict[str, Quantity] = Field(
        default_factory=dict, max_length=16, description="What is reserved, by resource name."
    )


class SecretRef(Spec):
    """A Secret in the resource's own namespace."""

    name: ObjectName = Field(description="Name of the Secret.")


class SecretKeyRef(Spec):
    """One key of a Secret in the resource's own namespace."""

    name: ObjectName = Field(description="Name of the Secret.")
    key: SecretKey = Field(description="Key in the Secret.")


class ModelRef(Spec):
    """An AnomalyModel in the same namespace, and on one machine in the same file."""

    name: Label = Field(description="Name of the AnomalyModel.")


class Metadata(BaseModel):
    """The part of a Kubernetes object's metadata that is read. Everything else in it is left alone."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True, strict=True)

    name: Label = Field(description="Name of the resource.")
    namespace: ObjectName | None = Field(None, description="Namespace; a pipeline and its model have the same one.")
    labels: dict[str, str] = Field(default_factory=dict, description="Labels.")
    annotations: dict[str, str] = Field(default_factory=dict, description="Annotations.")
    uid: str | None = Field(None, description="Set by the API server.")
    generation: int | None = Field(None, description="Set by the API server: counts changes of the spec.")


class Condition(Status):
    """One observation about a resource, after the Kubernetes API conventions."""

    type: str = Field(max_length=316, description="Name of the condition, such as `Ready`.")
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it holds.")
    reason: str = Field(max_length=1024, description="One word in CamelCase that says why.")
    message: str = Field(max_length=32768, description="The same in a sentence.")
    last_transition_time: str = Field(
        max_length=64, description="When the status last changed.", json_schema_extra={"format": "date-time"}
    )
    observed_generation: int | None = Field(None, ge=0, description="Generation of the spec this is about.")


class ResourceStatus(Status):
    """What both kinds report."""

    observed_generation: int | None = Field(None, ge=0, description="Generation of the spec this status is about.")
    conditions: list[Condition] = Field(
        default_factory=list,
        max_length=32,
        description="Observations by type.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )


class Resource(Spec):
    """A resource as written in YAML. Subclasses set ``kind``, ``spec`` and ``status``."""

    PLURAL: ClassVar[str]
    SHORT_NAME: ClassVar[str]
    PRINTER_COLUMNS: ClassVar[tuple[tuple[str, str, str, str], ...]]
    """Name, type, JSON path and description of the columns of ``kubectl get``."""

    api_version: Literal["logwarden.dev/v1alpha1"] = Field(description="Group and version.")
    metadata: Metadata = Field(description="Name and labels.")

    @property
    def name(self) -> str:
        """Name of the resource."""
        return self.metadata.name
