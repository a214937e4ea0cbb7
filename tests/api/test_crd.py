"""The custom resource definitions are structural, and the API server would judge as one machine does."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from logwarden.api.base import Resource
from logwarden.api.crd import KINDS, crd, crds_yaml
from logwarden.api.load import ResourceError, load_resources
from logwarden.api.schema import inlined_schema

cel = pytest.importorskip("cel", reason="evaluating CEL needs the package common-expression-language")

Schema = dict[str, Any]


def root_schema(kind: type[Resource]) -> Schema:
    """Return the schema in a kind's definition."""
    schema: Schema = crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def walk(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Yield every node of a schema."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from walk(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from walk(schema[key], f"{path}[]")


ALLOWED_KEYS = {
    "type", "description", "default", "enum", "format", "pattern", "minLength", "maxLength", "minimum", "maximum",
    "exclusiveMinimum", "exclusiveMaximum", "minItems", "maxItems", "minProperties", "maxProperties", "required",
    "properties", "items", "additionalProperties", "x-kubernetes-validations", "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys", "x-kubernetes-int-or-string",
}  # fmt: skip


def structural_faults(schema: Schema) -> list[str]:
    """Return what the API server would say about a schema that is not structural."""
    faults = []
    for path, node in walk(schema):
        typed = "type" in node or node.get("x-kubernetes-int-or-string")
        faults += [] if typed else [f"{path}: no type"]
        faults += [f"{path}: {key} is not structural" for key in node.keys() - ALLOWED_KEYS]
        if "properties" in node and "additionalProperties" in node:
            faults.append(f"{path}: properties and additionalProperties exclude each other")
        if node.get("type") == "array" and "items" not in node:
            faults.append(f"{path}: a list without items")
        if not isinstance(node.get("exclusiveMinimum", True), bool):
            faults.append(f"{path}: exclusiveMinimum is a truth value in this dialect")
        faults += [f"{path}: requires the unknown field {name}" for name in _unknown_required(node)]
    return faults


def _unknown_required(node: Schema) -> list[str]:
    return [name for name in node.get("required", ()) if name not in node.get("properties", {})]


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_is_structural(kind: type[Resource]) -> None:
    assert structural_faults(root_schema(kind)) == []


@pytest.mark.parametrize(
    "broken",
    [
        {"properties": {}},
        {"type": "object", "properties": {"a": {"$ref": "#/x"}}},
        {"type": "object", "properties": {"a": {"anyOf": [{"type": "string"}, {"type": "null"}]}}},
        {"type": "object", "properties": {}, "additionalProperties": {"type": "string"}},
        {"type": "array"},
        {"type": "number", "exclusiveMinimum": 0},
        {"type": "object", "required": ["a"]},
    ],
)
def test_the_structural_check_finds_faults(broken: Schema) -> None:
    assert structural_faults(broken)


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_described(kind: type[Resource]) -> None:
    fields = [(path, node) for path, node in walk(root_schema(kind)) if path.startswith(".s") and "[]" not in path[-2:]]
    assert [path for path, node in fields if not node.get("description")] == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_rules_read_is_bounded(kind: type[Resource]) -> None:
    """Lists and maps are bounded everywhere, text below a rule too: the cost of a rule is estimated from bounds."""
    unbounded = []
    for path, node in walk(root_schema(kind)):
        if node.get("type") == "array" and "maxItems" not in node:
            unbounded.append(path)
        if isinstance(node.get("additionalProperties"), dict) and "maxProperties" not in node:
            unbounded.append(path)
        if node.get("type") == "string" and path.startswith(".spec") and not ("maxLength" in node or "enum" in node):
            unbounded.append(path)
    assert unbounded == []


@pytest.mark.parametrize("kind", KINDS)
def test_patterns_are_those_of_the_api_server(kind: type[Resource]) -> None:
    """RE2 has no look-around and no back-references."""
    patterns = [node["pattern"] for _, node in walk(root_schema(kind)) if "pattern" in node]
    assert patterns
    for pattern in patterns:
        assert re.compile(pattern)
        assert not re.search(r"\(\?[=!<]|\\[1-9]", pattern)


def test_the_definitions_have_what_kubectl_shows() -> None:
    documents = {doc["metadata"]["name"]: doc for doc in yaml.safe_load_all(crds_yaml())}
    assert set(documents) == {"anomalymodels.logwarden.dev", "logpipelines.logwarden.dev"}
    columns = {}
    for name, document in documents.items():
        (version,) = document["spec"]["versions"]
        assert version["subresources"] == {"status": {}}
        columns[name] = {column["name"]: column["jsonPath"] for column in version["additionalPrinterColumns"]}
        for path in columns[name].values():
            assert path == ".metadata.creationTimestamp" or _has_path(version["schema"]["openAPIV3Schema"], path)
    assert list(columns["anomalymodels.logwarden.dev"]) == ["Phase", "F1", "Revision", "Trained %", "Age"]
    assert list(columns["logpipelines.logwarden.dev"]) == ["Phase", "Received", "Lag", "Age"]
    assert {doc["spec"]["names"]["shortNames"][0] for doc in documents.values()} == {"amodel", "lpipe"}


def _has_path(schema: Schema, path: str) -> bool:
    for name in path.strip(".").split("."):
        schema = schema.get("properties", {}).get(name)
        if schema is None:
            return False
    return True


def with_defaults(value: Any, schema: Schema) -> Any:
    """Fill in defaults as the API server does: from the outside in."""
    if isinstance(value, dict):
        for name, child in schema.get("properties", {}).items():
            if name not in value and "default" in child:
                value[name] = copy.deepcopy(child["default"])
            if name in value:
                value[name] = with_defaults(value[name], child)
    if isinstance(value, list):
        return [with_defaults(item, schema.get("items", {})) for item in value]
    return value


def broken_rules(value: Any, schema: Schema, old: Any = None) -> list[str]:
    """Return the messages of all rules that a value breaks, evaluated by a CEL engine as the API server would."""
    messages = []
    for rule in schema.get("x-kubernetes-validations", ()):
        if "oldSelf" in rule["rule"] and old is None:
            continue
        if not cel.evaluate(rule["rule"], {"self": value, "oldSelf": old}):
            messages.append(rule["message"])
    if isinstance(value, dict):
        for name, child in schema.get("properties", {}).items():
            if name in value:
                messages += broken_rules(value[name], child, (old or {}).get(name))
    if isinstance(value, list):
        messages += [message for item in value for message in broken_rules(item, schema.get("items", {}))]
    return messages


def resource(kind: str, spec: Any) -> dict[str, Any]:
    return {"apiVersion": "logwarden.dev/v1alpha1", "kind": kind, "metadata": {"name": "a"}, "spec": spec}


def pipeline(**spec: Any) -> dict[str, Any]:
    return resource("LogPipeline", {"detect": {"modelRef": {"name": "a"}}, **spec})


def model(**spec: Any) -> dict[str, Any]:
    return resource("AnomalyModel", spec)


def listeners(*items: dict[str, Any]) -> dict[str, Any]:
    return pipeline(collect={"syslog": {"listeners": list(items)}})


CASES = {
    "empty model": (model(), True),
    "window": (model(unit={"kind": "Window"}), True),
    "session without key": (model(unit={"kind": "Session"}), False),
    "session with key": (model(unit={"kind": "Session", "session": {"key": "x"}}), True),
    "key without session": (model(unit={"kind": "Line", "session": {"key": "x"}}), False),
    "session by default kind": (model(unit={"session": {"key": "x"}}), False),
    "builtin BERT": (model(base={"family": "BERT"}), False),
    "other BERT": (model(base={"family": "BERT", "model": "a/b"}), True),
    "supervised without data": (model(training={"mode": "Supervised"}), False),
    "supervised": (model(training={"mode": "Supervised", "datasets": [{"uri": "a"}]}), True),
    "more nodes than texts in a batch": (model(training={"nodes": 5, "batchSize": 4}), False),
    "as many nodes as texts in a batch": (model(training={"nodes": 4, "batchSize": 4}), True),
    "data set from nowhere": (model(training={"datasets": [{}]}), False),
    "data set from two places": (model(training={"datasets": [{"uri": "a", "topic": {"last": "7d"}}]}), False),
    "replicas the wrong way round": (model(serving={"replicas": {"min": 9}}), False),
    "replicas": (model(serving={"replicas": {"min": 8}}), True),
    "OpenAI without address": (model(explanation={"backend": "OpenAI"}), False),
    "OpenAI": (model(explanation={"backend": "OpenAI", "openAI": {"url": "http://a/v1", "model": "b"}}), True),
    "empty pipeline": (pipeline(), True),
    "no Kafka named": (pipeline(kafka={}), False),
    "two Kafkas": (pipeline(kafka={"strimzi": {"cluster": "a"}, "bootstrapServers": "a:1"}), False),
    "masks without a key": (pipeline(privacy={"mask": ["ip"]}), False),
    "masks": (pipeline(privacy={"mask": ["ip", "secret"], "keySecretRef": {"name": "a", "key": "k"}}), True),
    "webhook": (pipeline(alerts={"webhooks": [{"name": "a", "urlSecretRef": {"name": "a", "key": "k"}}]}), True),
    "Strimzi's user without SASL": (pipeline(kafka={"strimzi": {"cluster": "a", "user": {"name": "u"}}}), False),
    "Strimzi's user": (
        pipeline(
            kafka={
                "strimzi": {"cluster": "a", "user": {"name": "u"}},
                "sasl": {"credentialsSecretRef": {"name": "s"}},
            }
        ),
        True,
    ),
    "Strimzi's user with another mechanism": (
        pipeline(
            kafka={
                "strimzi": {"cluster": "a", "user": {"name": "u"}},
                "sasl": {"mechanism": "PLAIN", "credentialsSecretRef": {"name": "s"}},
            }
        ),
        False,
    ),
    "Strimzi": (pipeline(kafka={"strimzi": {"cluster": "a"}}), True),
    "bootstrap servers": (pipeline(kafka={"bootstrapServers": "a:1,b:2"}), True),
    "UDP": (listeners({"name": "a"}), True),
    "TLS without Secret": (listeners({"name": "a", "transport": "TLS"}), False),
    "TLS": (listeners({"name": "a", "transport": "TLS", "tlsSecretRef": {"name": "s"}}), True),
    "Secret without TLS": (listeners({"name": "a", "tlsSecretRef": {"name": "s"}}), False),
    "client check without TLS": (listeners({"name": "a", "clientAuth": "Required"}), False),
    "framing of datagrams": (listeners({"name": "a", "framing": "Newline"}), False),
    "framing": (listeners({"name": "a", "transport": "TCP", "framing": "Newline"}), True),
    "same name": (listeners({"name": "a", "port": 1}, {"name": "a", "port": 2}), False),
    "same port": (listeners({"name": "a"}, {"name": "b"}), False),
    "same port, other protocol": (listeners({"name": "a"}, {"name": "b", "transport": "TCP"}), True),
    "TCP and TLS on a port": (
        listeners({"name": "a", "transport": "TCP"}, {"name": "b", "transport": "TLS", "tlsSecretRef": {"name": "s"}}),
        False,
    ),
}


@pytest.mark.parametrize(("document", "valid"), CASES.values(), ids=CASES.keys())
def test_rules_judge_alike_in_a_cluster_and_on_one_machine(document: dict[str, Any], valid: bool) -> None:
    kind = next(kind for kind in KINDS if kind.__name__ == document["kind"])
    schema = root_schema(kind)
    in_cluster = broken_rules(with_defaults(copy.deepcopy(document), schema), schema)
    try:
        load_resources(yaml.safe_dump(document))
        on_machine = []
    except ResourceError as error:
        on_machine = [problem.message for problem in error.problems]
    assert sorted(set(in_cluster)) == sorted(on_machine)
    assert (in_cluster == []) is valid


def test_every_rule_is_broken_by_some_case() -> None:
    """No rule is only said: each one that needs no past refuses at least one of the cases above."""
    broken: set[str] = set()
    wanted: set[str] = set()
    for kind in KINDS:
        schema = root_schema(kind)
        rules = [rule for _, node in walk(schema) for rule in node.get("x-kubernetes-validations", ())]
        wanted |= {rule["message"] for rule in rules if "oldSelf" not in rule["rule"]}
        documents = [document for document, _ in CASES.values() if document["kind"] == kind.__name__]
        for document in documents:
            broken |= set(broken_rules(with_defaults(copy.deepcopy(document), schema), schema))
    assert broken == wanted


def test_partitions_never_shrink_and_a_topic_keeps_its_name() -> None:
    schema = root_schema(KINDS[1])

    def change(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
        before, after = (
            with_defaults(pipeline(kafka={"strimzi": {"cluster": "a"}, "topic": topic}), schema) for topic in (old, new)
        )
        return broken_rules(after, schema, before)

    assert change({"partitions": 6}, {"partitions": 12}) == []
    assert change({}, {"partitions": 5}) == ["partitions can grow, never shrink"]
    assert change({"name": "a"}, {"name": "b"}) == ["the topic's name cannot be changed"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_server_fills_in_the_defaults_of_one_machine(kind: type[Resource]) -> None:
    document = model() if kind.__name__ == "AnomalyModel" else pipeline()
    local = load_resources(yaml.safe_dump(document))[0].spec.model_dump(by_alias=True, exclude_none=True)
    assert with_defaults(copy.deepcopy(document), root_schema(kind))["spec"] == _without_empty_maps(local)


def _without_empty_maps(value: Any) -> Any:
    """Maps of free names have no default: an empty one and none are the same."""
    if not isinstance(value, dict):
        return value
    return {key: _without_empty_maps(item) for key, item in value.items() if key not in FREE_MAPS or item}


FREE_MAPS = {"limits", "requests", "annotations"}


def test_rules_blame_fields_that_exist() -> None:
    for kind in KINDS:
        for path, node in walk(inlined_schema(kind)):
            for rule in node.get("x-kubernetes-validations", ()):
                field = rule.get("fieldPath", "").strip(".")
                assert not field or field in node["properties"], f"{path}: {rule}"
