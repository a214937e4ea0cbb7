"""Custom resource definitions, generated from the models of the contract.

The schemas are structural in the sense of the Kubernetes API: every node has a type, nothing is referenced, defaults
are filled in by the server, and rules that span fields are CEL (``x-kubernetes-validations``).
"""

from __future__ import annotations

from typing import Any

import yaml

from logwarden.api.anomaly_model import AnomalyModel
from logwarden.api.base import GROUP, VERSION, Resource
from logwarden.api.log_pipeline import LogPipeline
from logwarden.api.schema import Schema, inlined_schema

KINDS: tuple[type[Resource], ...] = (AnomalyModel, LogPipeline)

_COPIED = (
    "type", "description", "default", "enum", "format", "pattern", "minLength", "maxLength", "minimum", "maximum",
    "minItems", "maxItems", "minProperties", "maxProperties", "required", "x-kubernetes-validations",
    "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-int-or-string",
)  # fmt: skip


def structural_schema(schema: Schema) -> Schema:
    """Return an inlined JSON Schema in the dialect of custom resource definitions."""
    result: Schema = {key: schema[key] for key in _COPIED if key in schema}
    for bound in ("Minimum", "Maximum"):
        if f"exclusive{bound}" in schema:
            result[bound.lower()] = schema[f"exclusive{bound}"]
            result[f"exclusive{bound}"] = True
    if "properties" in schema:
        result["properties"] = {name: structural_schema(child) for name, child in schema["properties"].items()}
    if isinstance(schema.get("additionalProperties"), dict):
        result["additionalProperties"] = structural_schema(schema["additionalProperties"])
    if "items" in schema:
        result["items"] = structural_schema(schema["items"])
    return _with_whole_default(result)


def _with_whole_default(schema: Schema) -> Schema:
    """Write the defaults of an object's fields into its own default.

    The API server checks a default against the rules of its object as it is written, before it fills in those of the
    fields: a rule that reads a field would refuse the whole definition.
    """
    if not isinstance(schema.get("default"), dict) or "properties" not in schema:
        return schema
    fields = {name: child["default"] for name, child in schema["properties"].items() if "default" in child}
    return {**schema, "default": {**fields, **schema["default"]}}


def crd(kind: type[Resource]) -> dict[str, Any]:
    """Return the CustomResourceDefinition of a kind."""
    name, plural = kind.__name__, kind.PLURAL
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": name,
                "listKind": f"{name}List",
                "plural": plural,
                "singular": name.lower(),
                "shortNames": [kind.SHORT_NAME],
                "categories": ["logwarden"],
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [_column(*column) for column in kind.PRINTER_COLUMNS],
                    "schema": {"openAPIV3Schema": _root_schema(kind)},
                }
            ],
        },
    }


def _column(name: str, type_: str, path: str, description: str) -> dict[str, str]:
    return {"name": name, "type": type_, "jsonPath": path, "description": description}


def _root_schema(kind: type[Resource]) -> Schema:
    """Return the schema of a whole object. Of the metadata the API server lets only the name be restricted."""
    schema = inlined_schema(kind)
    properties = schema["properties"]
    name = structural_schema(properties["metadata"]["properties"]["name"])
    root = structural_schema({**schema, "properties": {key: properties[key] for key in ("spec", "status")}})
    root["properties"] = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object", "properties": {"name": name}},
        **root["properties"],
    }
    root["required"] = [field for field in schema["required"] if field == "spec"]
    return {key: value for key, value in root.items() if value != []}


class _Dumper(yaml.SafeDumper):
    """Writes lists indented, as the rest of the Kubernetes world does, and repeats instead of using anchors."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def to_yaml(document: Any) -> str:
    """Return plain values as YAML in the order they are given."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)


def crd_yaml(kind: type[Resource]) -> str:
    """Return the CustomResourceDefinition of a kind as one YAML document."""
    return to_yaml(crd(kind))


def crds_yaml() -> str:
    """Return all CustomResourceDefinitions as YAML documents."""
    return "".join(f"---\n{crd_yaml(kind)}" for kind in KINDS)
