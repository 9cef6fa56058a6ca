"""The agent's chart, as far as it can be read without Helm: tests/cluster/chart renders it."""

import json
from typing import Any

import jsonschema
import pytest
import yaml

from binder_federation import __version__
from tests.support.chart_schema import CHART, chart_problems, definitions, read_schema


def read_yaml(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((CHART / name).read_text(encoding="utf-8"))
    return document


def test_the_chart_has_the_version_of_the_package() -> None:
    chart = read_yaml("Chart.yaml")

    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)


def test_the_schema_is_one() -> None:
    jsonschema.Draft7Validator.check_schema(read_schema())


def test_the_default_values_fit_the_schema() -> None:
    assert chart_problems(read_yaml("values.yaml")) == []


def test_the_schema_knows_all_settings() -> None:
    assert read_schema()["definitions"] == definitions(), (
        "the agent's settings have changed; bring the chart's schema up to date with "
        "`python -m tests.support.chart_schema`"
    )


def test_the_schema_has_a_default_for_each_value() -> None:
    schema, values = read_schema(), read_yaml("values.yaml")

    assert sorted(missing(schema, values)) == ["global"], "values.yaml lists every value"


def missing(schema: dict[str, Any], values: dict[str, Any], prefix: str = "") -> list[str]:
    """The schema's properties that the values lack, `a.b`."""
    found = []
    for name, part in schema.get("properties", {}).items():
        if name not in values:
            found.append(prefix + name)
        elif isinstance(values[name], dict):
            found += missing(part, values[name], f"{prefix}{name}.")
    return found


def test_every_object_of_the_schema_is_closed_and_described() -> None:
    def check(part: dict[str, Any], place: str) -> None:
        assert "description" in part, f"{place} is not described"
        if "properties" in part:
            assert part["additionalProperties"] is False, f"{place} takes anything"
            for name, child in part["properties"].items():
                check(child, f"{place}.{name}")

    for name, part in read_schema()["properties"].items():
        check(part, name)


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"config": {"quota": {"sesions": 3}}}, "$.config.quota"),
        ({"config": {"name": "Alpha_1"}}, "$.config.name"),
        ({"config": {"kubernetes": {"hub": {"mode": "both"}}}}, "$.config.kubernetes.hub.mode"),
        ({"imgae": {}}, "$"),
        ({"builder": {"kind": "magic"}}, "$.builder.kind"),
        ({"services": {"api": {"type": "ExternalName"}}}, "$.services.api.type"),
        ({"networkPolicies": {"alsoBlocked": ["10.0.0.1"]}}, "$.networkPolicies.alsoBlocked[0]"),
        ({"terminationGracePeriodSeconds": 5}, "$.terminationGracePeriodSeconds"),
    ],
)
def test_a_wrong_value_is_named(values: dict[str, Any], place: str) -> None:
    found = chart_problems(values)

    assert len(found) == 1
    assert found[0].startswith(f"{place}: ")


def test_the_schema_never_shows_a_secret() -> None:
    secrets = read_schema()["properties"]["secrets"]["properties"]

    assert {name: set(part) for name, part in secrets.items()} == {
        name: {"type", "description"} for name in secrets
    }, "a rule for a secret would put it into Helm's error message"


def test_the_schema_is_laid_out_for_readers() -> None:
    text = (CHART / "values.schema.json").read_text(encoding="utf-8")

    assert text == json.dumps(read_schema(), indent=2, ensure_ascii=False) + "\n"
