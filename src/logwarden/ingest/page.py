"""The page that describes the endpoint: its OpenAPI document as HTML that needs nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1rem; color: #1c2733; }
h2 { font: 600 1rem ui-monospace, monospace; border-top: 1px solid #c9d2da; padding-top: 1rem; margin-top: 1.5rem; }
td { padding: 0 1rem 0 0; vertical-align: top; }
"""


def page(document: Mapping[str, Any]) -> str:
    """Return an OpenAPI document as a page."""
    info = document["info"]
    return "".join(
        [
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(info["title"])}</title>',
            f"<style>{_STYLE}</style><h1>{escape(info['title'])} {escape(info['version'])}</h1>",
            f"<p>{escape(info.get('description', ''))} ",
            '<a href="/openapi.json">OpenAPI document</a></p>',
            *_operations(document),
            "</html>",
        ]
    )


def _operations(document: Mapping[str, Any]) -> Iterator[str]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"<h2>{escape(method.upper())} {escape(path)}</h2><p>{escape(operation.get('summary', ''))}.</p>"
            kinds = operation.get("requestBody", {}).get("content", {})
            if kinds:
                yield f"<p>Content-Type: {', '.join(f'<code>{escape(kind)}</code>' for kind in kinds)}</p>"
            rows = operation["responses"].items()
            cells = (f"<tr><td>{escape(code)}<td>{escape(answer['description'])}" for code, answer in rows)
            yield f"<table>{''.join(cells)}</table>"
