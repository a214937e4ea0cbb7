"""YAML text to plain values that remember where they stood, safely.

YAML's own traps are closed: aliases cannot expand without bound, duplicate keys are refused, tags cannot construct
objects, dates stay text, and ``3e-4`` is a number as in JSON and Kubernetes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml

MAX_BYTES = 1024 * 1024
MAX_VALUES = 20_000
MAX_DEPTH = 50

Path = tuple[str | int, ...]


class Position(NamedTuple):
    """A place in a file, both counted from 1."""

    line: int
    column: int


class YamlTreeError(Exception):
    """The text is not YAML that can be used."""

    def __init__(self, message: str, position: Position | None = None, path: Path = ()) -> None:
        super().__init__(message)
        self.message = message
        self.position = position
        self.path = path


@dataclass(slots=True)
class Document:
    """One YAML document: its value and the position of every key and value by path."""

    value: Any
    position: Position
    keys: dict[Path, Position] = field(default_factory=dict)
    values: dict[Path, Position] = field(default_factory=dict)

    def locate(self, path: Path, *, key: bool = False) -> Position:
        """Return the position of the value at ``path`` (of its key with ``key=True``), or of the nearest parent."""
        if key and path in self.keys:
            return self.keys[path]
        while path not in self.values:
            if not path:
                return self.position
            path = path[:-1]
            if path in self.keys:
                return self.keys[path]
        return self.values[path]


class _Loader(yaml.SafeLoader):
    """The safe loader with numbers as in YAML 1.2 and without dates."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+$"), list("-+.0123456789")
)

_PREFIX = "tag:yaml.org,2002:"
_SCALARS = {"null", "bool", "int", "float", "str"}


def parse_documents(text: str) -> list[Document]:
    """Return the documents of a YAML text; empty ones are left out.

    Raises
    ------
    YamlTreeError
        With the position, where the text is too large, not YAML, or uses what is refused.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise YamlTreeError(f"the text is larger than {MAX_BYTES // 1024} KiB")
    try:
        return [_Builder().build(node) for node in yaml.compose_all(text, _Loader) if not _is_empty(node)]
    except yaml.MarkedYAMLError as error:
        raise YamlTreeError(_syntax_message(error), _position(error.problem_mark or error.context_mark)) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        message = f"the character U+{int(error.character):04X} is not allowed in YAML"
        raise YamlTreeError(message, Position(line, 1)) from None
    except RecursionError:
        raise YamlTreeError(f"nested more than {MAX_DEPTH} levels deep") from None


def _is_empty(node: yaml.Node | None) -> bool:
    return node is None or (isinstance(node, yaml.ScalarNode) and node.tag == f"{_PREFIX}null")


def _position(mark: Any) -> Position | None:
    return None if mark is None else Position(mark.line + 1, mark.column + 1)


def _syntax_message(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or "syntax error"
    if r"'\t'" in problem:
        return "found a tab: YAML is indented with spaces"
    context = f" {error.context}" if error.context else ""
    return f"not valid YAML{context}: {problem}"


class _Builder:
    """Turns the nodes of one document into values, counting what aliases repeat."""

    def __init__(self) -> None:
        self._constructor = yaml.constructor.SafeConstructor()
        self._count = 0
        self._document = Document(None, Position(1, 1))

    def build(self, node: yaml.Node) -> Document:
        self._document.position = self._here(node)
        self._document.value = self._value(node, ())
        return self._document

    def _here(self, node: yaml.Node) -> Position:
        return Position(node.start_mark.line + 1, node.start_mark.column + 1)

    def _spend(self, node: yaml.Node, path: Path) -> None:
        """Count a node; an alias counts each time it is expanded."""
        self._count += 1
        if self._count > MAX_VALUES:
            raise YamlTreeError(f"more than {MAX_VALUES} values once aliases are expanded", self._here(node), path[:3])
        if len(path) > MAX_DEPTH:
            raise YamlTreeError(f"nested more than {MAX_DEPTH} levels deep", self._here(node), path[:3])

    def _value(self, node: yaml.Node, path: Path) -> Any:
        self._spend(node, path)
        self._document.values[path] = self._here(node)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(child, (*path, index)) for index, child in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        merged = [pair for pair in node.value if pair[0].tag == f"{_PREFIX}merge"]
        result: dict[str, Any] = {}
        for _, value_node in merged:
            for target in reversed(self._merge_targets(value_node, path)):
                self._spend(target, path)
                result |= self._mapping(target, path)
        own: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == f"{_PREFIX}merge":
                continue
            key = self._key(key_node, path)
            if key in own:
                raise YamlTreeError("this key stands twice in one object", self._here(key_node), (*path, key))
            self._document.keys[(*path, key)] = self._here(key_node)
            own[key] = self._value(value_node, (*path, key))
        return result | own

    def _merge_targets(self, node: yaml.Node, path: Path) -> list[yaml.MappingNode]:
        """Return what ``<<`` names, the strongest first."""
        targets = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for target in targets:
            if not isinstance(target, yaml.MappingNode):
                raise YamlTreeError("'<<' takes an object or a list of objects", self._here(node), path)
        return list(targets)

    def _key(self, node: yaml.Node, path: Path) -> str:
        if not isinstance(node, yaml.ScalarNode) or node.tag != f"{_PREFIX}str":
            shown = node.value if isinstance(node, yaml.ScalarNode) else "an object or a list"
            raise YamlTreeError(f"found {shown} as a key, allowed: text (put it in quotes)", self._here(node), path)
        return str(node.value)

    def _scalar(self, node: yaml.Node, path: Path) -> Any:
        kind = node.tag.removeprefix(_PREFIX)
        if kind not in _SCALARS:
            raise YamlTreeError(f"the tag {_shown_tag(node.tag)} is not allowed", self._here(node), path)
        try:
            return getattr(self._constructor, f"construct_yaml_{kind}")(node)
        except ValueError:
            raise YamlTreeError(f"found {node.value[:40]!r}, which is no {kind}", self._here(node), path) from None


def _shown_tag(tag: str) -> str:
    return f"!!{tag.removeprefix(_PREFIX)}" if tag.startswith(_PREFIX) else tag
