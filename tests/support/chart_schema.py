"""The part of each chart that follows from its service's settings: what `config` may hold.

`python -m tests.support.chart_schema` writes it into the charts' values.schema.json; a unit test
tells when that was forgotten. So a misspelt setting is found by `helm install`, not by a service
that does not start. What pydantic knows beyond JSON Schema the service itself checks.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import yaml
from pydantic_settings import BaseSettings

from binder_federation.config.agent import AgentSettings
from binder_federation.config.federation import FederationSettings

CHARTS = Path(__file__).parents[2] / "charts"
SCHEMA_NAME = "values.schema.json"
FILLED_IN = {"RedisSettings": {"url"}}
"""Parts of the settings that a chart completes: the bundled Redis has an address of its own."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart's folder, and the settings that its `config` becomes."""

    folder: Path
    settings: type[BaseSettings]

    def read_schema(self) -> dict[str, Any]:
        """The chart's schema as it is."""
        schema: dict[str, Any] = json.loads((self.folder / SCHEMA_NAME).read_text(encoding="utf-8"))
        return schema

    def read_yaml(self, name: str) -> dict[str, Any]:
        """One of its files."""
        document: dict[str, Any] = yaml.safe_load((self.folder / name).read_text(encoding="utf-8"))
        return document

    def problems(self, values: dict[str, Any]) -> list[str]:
        """What the schema has against these values of the chart, each with its place."""
        found = jsonschema.Draft7Validator(self.read_schema()).iter_errors(values)
        return [f"{error.json_path}: {error.message}" for error in found]

    def definitions(self) -> dict[str, Any]:
        """The settings, as JSON Schema draft 7; what the chart fills in is not required."""
        whole = self.settings.model_json_schema(ref_template="#/definitions/{model}")
        parts = whole.pop("$defs")
        whole.pop("required", None)
        found = {**parts, self.settings.__name__: whole}
        for model, names in FILLED_IN.items():
            if model in found:
                found[model]["required"] = sorted({*found[model]["required"]} - names)
        return {name: _plain(found[name]) for name in sorted(found)}

    def write_schema(self) -> None:
        """Bring the chart's schema up to date."""
        schema = self.read_schema() | {"definitions": self.definitions()}
        text = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        (self.folder / SCHEMA_NAME).write_text(text, encoding="utf-8")


AGENT = Chart(CHARTS / "cluster-agent", AgentSettings)
FEDERATION = Chart(CHARTS / "federation", FederationSettings)

_UNUSED = ("default", "title", "writeOnly", "format")
"""Defaults are the services' own business; the rest says nothing to Helm."""


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
    AGENT.write_schema()
    FEDERATION.write_schema()
