"""Read AnomalyModel and LogPipeline documents from YAML, with errors that a person can act on."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from logwarden.api.anomaly_model import AnomalyModel
from logwarden.api.base import API_VERSION
from logwarden.api.log_pipeline import LogPipeline
from logwarden.api.schema import Schema, allowed_in_words, inlined_schema
from logwarden.api.yamltree import MAX_BYTES, Document, Position, YamlTreeError, parse_documents
from logwarden.api.yamltree import Path as FieldPath
from logwarden.errors import InvalidInputError

KINDS: dict[str, type[AnomalyModel | LogPipeline]] = {"AnomalyModel": AnomalyModel, "LogPipeline": LogPipeline}
TEXT_NAME = "<text>"


class Problem(NamedTuple):
    """One mistake in a file."""

    file: str
    position: Position | None
    field: str
    message: str

    def __str__(self) -> str:
        where = "" if self.position is None else f":{self.position.line}:{self.position.column}"
        field = f"{self.field}: " if self.field else ""
        return f"{self.file}{where}: {field}{self.message}"


class ResourceError(InvalidInputError):
    """A file of resources is wrong. The message has one line per mistake."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(problems, key=lambda problem: problem.position or Position(0, 0))
        lines = [str(problem) for problem in self.problems]
        super().__init__(lines[0] if len(lines) == 1 else "\n  ".join([f"{len(lines)} mistakes:", *lines]))


class PipelineWithModel(NamedTuple):
    """A pipeline and the model that its ``detect.modelRef`` names."""

    pipeline: LogPipeline
    model: AnomalyModel


def load_resources(source: Path | str, *, name: str = TEXT_NAME) -> list[AnomalyModel | LogPipeline]:
    """Read all resources of a YAML file, or of a YAML text.

    Parameters
    ----------
    source
        A ``Path`` is a file to read; a ``str`` is the text itself.
    name
        What errors call the text, where ``source`` is one.

    Raises
    ------
    ResourceError
        With every mistake that was found. Also where a pipeline names a model that is not among the models of the
        same file; a file without any AnomalyModel may name one that exists elsewhere.
    """
    return [item.resource for item in _load(source, name, model_required=False)]


def load_pipelines(source: Path | str, *, name: str = TEXT_NAME) -> list[PipelineWithModel]:
    """Read the pipelines of a file together with their models, as one machine needs them.

    Raises
    ------
    ResourceError
        As :func:`load_resources`, and where the file holds no pipeline or a pipeline's model is not in it.
    """
    items = _load(source, name, model_required=True)
    models = {_key(item.resource): item.resource for item in items if isinstance(item.resource, AnomalyModel)}
    pipelines = [item.resource for item in items if isinstance(item.resource, LogPipeline)]
    if not pipelines:
        raise ResourceError([Problem(_label(source, name), None, "", "no LogPipeline found, and one is needed to run")])
    return [PipelineWithModel(pipeline, models[_model_key(pipeline)]) for pipeline in pipelines]


class _Key(NamedTuple):
    """What tells two resources of a kind apart."""

    namespace: str | None
    name: str

    def __str__(self) -> str:
        return self.name if self.namespace is None else f"{self.namespace}/{self.name}"


def _key(resource: AnomalyModel | LogPipeline) -> _Key:
    return _Key(resource.metadata.namespace, resource.name)


def _model_key(pipeline: LogPipeline) -> _Key:
    """Return the model that a pipeline names: one of its own namespace."""
    return _Key(pipeline.metadata.namespace, pipeline.spec.detect.model_ref.name)


class _Item(NamedTuple):
    document: Document
    resource: AnomalyModel | LogPipeline


def _label(source: Path | str, name: str) -> str:
    return str(source) if isinstance(source, Path) else name


def _load(source: Path | str, name: str, *, model_required: bool) -> list[_Item]:
    label = _label(source, name)
    text = _read(source) if isinstance(source, Path) else source
    try:
        documents = parse_documents(text)
    except YamlTreeError as problem:
        raise ResourceError([Problem(label, problem.position, _show(problem.path), problem.message)]) from None
    if not documents:
        raise ResourceError([Problem(label, None, "", f"no document found, allowed: {' and '.join(KINDS)}")])
    items, problems = _parse_all(documents, label)
    problems += _cross_check(items, label, model_required=model_required and not problems)
    if problems:
        raise ResourceError(problems)
    return items


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        return data.decode("utf-8-sig")
    except OSError as error:
        raise ResourceError([Problem(str(path), None, "", f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"the byte 0x{data[error.start]:02x} is not UTF-8 text: is this a YAML file?"
        raise ResourceError([Problem(str(path), Position(line, 1), "", message)]) from None


def _parse_all(documents: Iterable[Document], label: str) -> tuple[list[_Item], list[Problem]]:
    items: list[_Item] = []
    problems: list[Problem] = []
    for document in documents:
        kind, found = _kind_of(document, label)
        if kind is None:
            problems += found
            continue
        try:
            items.append(
                _Item(document, kind.model_validate(_without_nulls(document.value), by_alias=True, by_name=False))
            )
        except ValidationError as error:
            problems += _explain(error, document, inlined_schema(kind), label)
    return items, problems


def _kind_of(document: Document, label: str) -> tuple[type[AnomalyModel | LogPipeline] | None, list[Problem]]:
    """Return the class for a document, or what is wrong with its ``apiVersion`` and ``kind``."""
    value = document.value
    if not isinstance(value, dict) or not ("apiVersion" in value or "kind" in value):
        message = f"found {_found(value)}, allowed: an object with apiVersion, kind, metadata and spec"
        return None, [Problem(label, document.position, "", message)]
    problems = []
    for field, allowed in (("apiVersion", (API_VERSION,)), ("kind", tuple(KINDS))):
        found = value.get(field)
        if found not in allowed:
            problems.append(_header_problem(document, label, field, allowed))
    return (None, problems) if problems else (KINDS[value["kind"]], [])


def _header_problem(document: Document, label: str, field: str, allowed: tuple[str, ...]) -> Problem:
    found = document.value.get(field)
    position = document.locate((field,))
    if found is None:
        return Problem(label, position, field, f"is missing, allowed: {', '.join(allowed)}")
    return Problem(
        label, position, field, f"found {_found(found)}, allowed: {', '.join(allowed)}{_near(found, allowed)}"
    )


def _without_nulls(value: Any) -> Any:
    """Leave out keys without a value, as the API server does: ``session:`` alone means that there is none."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def _explain(error: ValidationError, document: Document, schema: Schema, label: str) -> list[Problem]:
    problems: dict[FieldPath, Problem] = {}
    for detail in error.errors(include_url=False):
        path = _known_path(detail["loc"], schema)
        problems.setdefault(path, _explain_one(detail, path, document, schema, label))
    return list(problems.values())


def _known_path(location: FieldPath, schema: Schema) -> FieldPath:
    """Return pydantic's location without the names of union members that it adds at its end."""
    path: FieldPath = ()
    for step in location:
        if "x-kubernetes-int-or-string" in _schema_at(schema, path):
            break
        path = (*path, step)
    return path


def _explain_one(detail: Any, path: FieldPath, document: Document, schema: Schema, label: str) -> Problem:
    field = _show(path)
    match detail["type"]:
        case "extra_forbidden":
            names = tuple(_schema_at(schema, path[:-1]).get("properties", {}))
            message = f"unknown field{_near(path[-1], names)}; allowed: {', '.join(names)}"
            return Problem(label, document.locate(path, key=True), field, message)
        case "missing":
            message = f"is missing, allowed: {allowed_in_words(_schema_at(schema, path))}"
            return Problem(label, document.locate(path), field, message)
        case "rule":
            blamed = detail["ctx"]["field"]
            path = (*path, blamed) if blamed else path
            return Problem(label, document.locate(path, key=True), _show(path), detail["ctx"]["message"])
        case _:
            allowed = _schema_at(schema, path)
            near = _near(detail["input"], tuple(allowed.get("enum", ())))
            quotes = _quotes_hint(detail["input"], allowed)
            message = f"found {_found(detail['input'])}, allowed: {allowed_in_words(allowed)}{near}{quotes}"
            return Problem(label, document.locate(path), field, message)


def _schema_at(schema: Schema, path: FieldPath) -> Schema:
    """Return the schema of the field at ``path``, or an empty one."""
    for step in path:
        if isinstance(step, int):
            schema = schema.get("items", {})
        else:
            other = schema.get("additionalProperties")
            schema = schema.get("properties", {}).get(step, other if isinstance(other, dict) else {})
    return schema


def _show(path: FieldPath) -> str:
    """Return a path as people write it: ``spec.collect.syslog.listeners[0].port``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step.replace("_", "").replace("-", "").isalnum():
            text += f".{step}"
        else:
            text += f"['{step}']"
    return text.removeprefix(".")


def _found(value: Any) -> str:
    """Return a value as an error shows it, short."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case dict():
            return f"an object ({', '.join(list(value)[:4])})" if value else "an empty object"
        case list():
            return f"a list of {len(value)} item{'s'[: len(value) > 1]}" if value else "an empty list"
        case str():
            shown = value if len(value) <= 60 else f"{value[:60]}..."
            return f"'{shown}'".replace("\n", "\\n")
        case _:
            return str(value)[:60]


def _quotes_hint(found: Any, schema: Schema) -> str:
    """Return a hint where a number or a truth value stands in quotes."""
    wanted = schema.get("type")
    is_number = isinstance(found, str) and found.replace(".", "", 1).isdecimal()
    wrong = (wanted in ("integer", "number") and is_number) or (wanted == "boolean" and found in ("true", "false"))
    return " (remove the quotes)" if wrong else ""


def _near(found: Any, names: tuple[str, ...]) -> str:
    """Return a hint to the nearest allowed name, where one is near."""
    lowered = {str(name).lower(): str(name) for name in names}
    nearest = difflib.get_close_matches(str(found).lower(), lowered, n=1, cutoff=0.7)
    return f" (did you mean {lowered[nearest[0]]}?)" if nearest else ""


def _cross_check(items: list[_Item], label: str, *, model_required: bool) -> list[Problem]:
    """Return what is wrong between documents: names used twice, and models that are named but not there."""
    problems = []
    seen: dict[tuple[str, _Key], Position] = {}
    for document, resource in items:
        key = (resource.kind, _key(resource))
        if key in seen:
            message = f"a second {resource.kind} named '{resource.name}', the first is at line {seen[key].line}"
            problems.append(Problem(label, document.locate(("metadata", "name")), "metadata.name", message))
        seen.setdefault(key, document.position)
    models = tuple(_key(resource) for _, resource in items if isinstance(resource, AnomalyModel))
    if models or model_required:
        problems += [problem for item in items for problem in _missing_model(item, models, label)]
    return problems


def _missing_model(item: _Item, models: tuple[_Key, ...], label: str) -> list[Problem]:
    document, resource = item
    if not isinstance(resource, LogPipeline) or _model_key(resource) in models:
        return []
    path = ("spec", "detect", "modelRef", "name")
    wanted, names = str(_model_key(resource)), tuple(map(str, models))
    there = f"models here: {', '.join(names)}{_near(wanted, names)}" if models else "it has no AnomalyModel"
    message = f"no AnomalyModel named '{wanted}' in this file; {there}"
    return [Problem(label, document.locate(path), _show(path), message)]
