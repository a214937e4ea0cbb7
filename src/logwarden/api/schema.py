"""Plain schemas of the contract: references inlined, optional fields without null."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import BaseModel

from logwarden.api.base import ALLOWED_KEY

Schema = dict[str, Any]


@cache
def inlined_schema(model: type[BaseModel]) -> Schema:
    """Return a model's JSON Schema without ``$ref`` and without null as a type. The result must not be changed.

    A field that may be left out is one that ``required`` does not list.
    """
    schema = model.model_json_schema(by_alias=True)
    return _inline(schema, schema.get("$defs", {}))


def _inline(node: Schema, definitions: dict[str, Schema]) -> Schema:
    """Resolve one node: its reference, its ``anyOf`` with null, then its children."""
    node = _resolve(_without_null(node), definitions)
    result = {key: value for key, value in node.items() if key not in ("$defs", "title")}
    if "properties" in result:
        result["properties"] = {name: _inline(child, definitions) for name, child in node["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(result.get(key), dict):
            result[key] = _inline(result[key], definitions)
    if "const" in result:
        result["enum"] = [result.pop("const")]
    return result


def _without_null(node: Schema) -> Schema:
    """Return ``anyOf: [X, null]`` as X, with the description and rules beside it."""
    if "anyOf" not in node:
        return node
    choices = [choice for choice in node["anyOf"] if choice.get("type") != "null"]
    if len(choices) != 1:
        return node
    rest = {key: value for key, value in node.items() if key != "anyOf" and not (key == "default" and value is None)}
    return {**choices[0], **rest}


def _resolve(node: Schema, definitions: dict[str, Schema]) -> Schema:
    if "$ref" not in node:
        return node
    target = definitions[node["$ref"].rpartition("/")[2]]
    return {**target, **{key: value for key, value in node.items() if key != "$ref"}}


def allowed_in_words(schema: Schema) -> str:
    """Return what a field takes, for a person: ``UDP, TCP, TLS`` or ``a whole number from 1 to 65535``."""
    if ALLOWED_KEY in schema:
        return str(schema[ALLOWED_KEY])
    if "enum" in schema:
        return ", ".join(str(value) for value in schema["enum"])
    match schema.get("type"):
        case "integer":
            return f"a whole number{_range(schema)}"
        case "number":
            return f"a number{_range(schema)}"
        case "boolean":
            return "true, false"
        case "array":
            most = f" of at most {schema['maxItems']} items" if "maxItems" in schema else ""
            return f"a list{most}"
        case "object":
            return _object_in_words(schema)
        case _:
            return "text"


def _object_in_words(schema: Schema) -> str:
    if "properties" in schema:
        return f"an object with the fields {', '.join(schema['properties'])}"
    most = f" at most {schema['maxProperties']}" if "maxProperties" in schema else ""
    return f"an object with{most} names and values"


def _range(schema: Schema) -> str:
    is_open = "exclusiveMinimum" in schema or "exclusiveMaximum" in schema
    words = (
        ("minimum", "from"),
        ("exclusiveMinimum", "above"),
        ("maximum", "up to" if is_open else "to"),
        ("exclusiveMaximum", "below"),
    )
    bounds = [f"{word} {_number(schema[key])}" for key, word in words if key in schema]
    return f" {(' and ' if is_open else ' ').join(bounds)}" if bounds else ""


def _number(value: float) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
