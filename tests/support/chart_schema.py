"""The part of the agent's chart that follows from its settings: what `config` may hold.

`python -m tests.support.chart_schema` writes it into the chart's values.schema.json; a unit test
tells when that was forgotten. So a misspelt setting is found by `helm install`, not by an agent
that does not start. What pydantic knows beyond JSON Schema the agent itself checks.
"""

import json
from pathlib import Path
from typing import Any

import jsonschema

from binder_federation.config.agent import AgentSettings

CHART = Path(__file__).parents[2] / "charts" / "cluster-agent"
SCHEMA = CHART / "values.schema.json"
ROOT_NAME = "AgentSettings"


def read_schema() -> dict[str, Any]:
    """The chart's schema as it is."""
    schema: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return schema


def chart_problems(values: dict[str, Any]) -> list[str]:
    """What the schema has against these values of the chart, each with its place."""
    found = jsonschema.Draft7Validator(read_schema()).iter_errors(values)
    return [f"{error.json_path}: {error.message}" for error in found]


def definitions() -> dict[str, Any]:
    """The settings, as JSON Schema draft 7; what the chart fills in is not required."""
    whole = AgentSettings.model_json_schema(ref_template="#/definitions/{model}")
    parts = whole.pop("$defs")
    del whole["required"]
    found = {**parts, ROOT_NAME: whole}
    return {name: _plain(found[name]) for name in sorted(found)}


def write_schema() -> None:
    """Bring the chart's schema up to date."""
    schema = read_schema() | {"definitions": definitions()}
    SCHEMA.write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


_UNUSED = ("default", "title", "writeOnly", "format")
"""Defaults are the agent's own business; the rest says nothing to Helm."""


def _plain(node: Any, *, are_names: bool = False) -> Any:
    """`node` without what is of no use; the keys of `properties` are names, and all stay."""
    if isinstance(node, list):
        return [_plain(each) for each in node]
    if not isinstance(node, dict):
        return node
    return {
        key: _plain(value, are_names=key == "properties" and not are_names)
        for key, value in node.items()
        if are_names or key not in _UNUSED
    }


if __name__ == "__main__":
    write_schema()
