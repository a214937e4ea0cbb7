"""Write what is generated in the chart: the CRDs as templates, and the table of values in its README.

``python -m scripts.chart`` writes the files; with ``--check`` it writes nothing and fails, naming each stale one.
"""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

import yaml

from logwarden.api.crd import KINDS, crd_yaml
from scripts.tree import ROOT

CHART = ROOT / "charts" / "logwarden"
_NOTE = "{{- /* Generated from src/logwarden/api/ by 'python -m scripts.chart'. */ -}}\n"
_HEAD = "{{- if .Values.crds.enabled }}\n"
_KEEP = """\
  annotations:
    logwarden.dev/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
    {{- if .Values.crds.keep }}
    helm.sh/resource-policy: keep
    {{- end }}
"""
_BEGIN, _END = "<!-- values: generated from values.yaml -->\n", "<!-- end of values -->\n"


class Value(NamedTuple):
    """A documented value of the chart."""

    name: str
    default: str
    description: str


def main(arguments: list[str]) -> int:
    """Write the files, or check them; return the exit code."""
    files = {path: text for path, text in generated().items() if _read(path) != text}
    if "--check" not in arguments:
        for path, text in files.items():
            (CHART / path).write_text(text, encoding="utf-8")
        return 0
    for path in files:
        print(f"stale: charts/logwarden/{path} (run python -m scripts.chart)", file=sys.stderr)
    return bool(files)


def generated() -> dict[str, str]:
    """Return the text of every generated file by its path in the chart."""
    files = {f"templates/crd-{kind.PLURAL}.yaml": _template(crd_yaml(kind)) for kind in KINDS}
    files["README.md"] = _with_table(_read("README.md"), values((CHART / "values.yaml").read_text(encoding="utf-8")))
    return files


def _template(definition: str) -> str:
    """Return a CRD as a template. What looks like an action in a description must not be one."""
    escaped = definition.replace("{{", '{{ "{{" }}')
    return _NOTE + _HEAD + escaped.replace("metadata:\n", f"metadata:\n{_KEEP}", 1) + "{{- end }}\n"


def values(text: str) -> list[Value]:
    """Return the values that have a comment above them, with their defaults."""
    lines = text.splitlines()
    return list(_documented(yaml.compose(text), yaml.safe_load(text), lines, ()))


def _documented(node: Any, loaded: Any, lines: list[str], path: tuple[str, ...]) -> list[Value]:
    found: list[Value] = []
    for key, child in node.value:
        name = (*path, key.value)
        value = loaded[key.value]
        comment = _comment(lines, key.start_mark.line)
        if comment:
            found.append(Value(".".join(name), yaml_text(value), comment))
        elif isinstance(child, yaml.MappingNode):
            found += _documented(child, value, lines, name)
    return found


def yaml_text(value: Any) -> str:
    """Return a default in one line."""
    return yaml.safe_dump(value, default_flow_style=True, width=1000).strip().removesuffix("...").strip()


def _comment(lines: list[str], line: int) -> str:
    comment: list[str] = []
    while line > 0 and lines[line - 1].strip().startswith("#"):
        line -= 1
        comment.insert(0, lines[line].strip().lstrip("# "))
    return " ".join(comment)


def _with_table(readme: str, found: list[Value]) -> str:
    before, _, rest = readme.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    rows = "".join(f"| `{value.name}` | `{value.default}` | {value.description} |\n" for value in found)
    return f"{before}{_BEGIN}| Value | Default | What it does |\n|---|---|---|\n{rows}{_END}{after}"


def _read(path: str) -> str:
    try:
        return (CHART / path).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
