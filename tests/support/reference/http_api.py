"""A page of an HTTP API: what its OpenAPI description says, for people."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

METHODS = ("get", "head", "post", "put", "patch", "delete", "options")


def describe_api(file: Path) -> str:
    """The page, as Markdown."""
    api: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    info = api["info"]
    head = [f"# {info['title']}\n", f"{info.get('description', '').strip()}\n"]
    return "\n".join([*head, *_paths(api)]) + "\n"


def _paths(api: dict[str, Any]) -> Iterator[str]:
    for path, item in api["paths"].items():
        for method in METHODS:
            if method in item:
                yield f"## `{method.upper()} {path}`\n"
                yield from _operation(api, item, item[method])


def _operation(api: dict[str, Any], item: dict[str, Any], told: dict[str, Any]) -> Iterator[str]:
    for text in (told.get("summary"), told.get("description")):
        if text:
            yield f"{_escape(text.strip())}\n"
    parameters = [*item.get("parameters", []), *told.get("parameters", [])]
    if parameters:
        yield "| parameter | in | |\n|---|---|---|"
        for given in parameters:
            each = _resolved(api, given)
            yield f"| `{each['name']}` | {each['in']} | {_cell(each.get('description', ''))} |"
        yield ""
    if body := told.get("requestBody"):
        kinds = ", ".join(f"`{kind}`" for kind in _resolved(api, body).get("content", {}))
        yield f"Body: {kinds}\n"
    yield "| status | |\n|---|---|"
    for status, given in told["responses"].items():
        yield f"| {status} | {_cell(_resolved(api, given).get('description', ''))} |"
    yield ""


def _resolved(api: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """What `$ref` points at."""
    found = node
    if "$ref" in node:
        found = api
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
    return found


def _cell(text: str) -> str:
    return _escape(" ".join(text.split())).replace("|", "\\|")


def _escape(text: str) -> str:
    return text.replace("<", "&lt;")
