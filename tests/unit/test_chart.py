"""The charts, as far as they can be read without Helm: tests/cluster/chart renders them."""

import json
from typing import Any

import jsonschema
import pytest

from binder_federation import __version__
from tests.support.chart_schema import AGENT, FEDERATION, SCHEMA_NAME, Chart

BOTH = pytest.mark.parametrize("chart", [AGENT, FEDERATION], ids=["cluster-agent", "federation"])


@BOTH
def test_the_chart_has_the_version_of_the_package(chart: Chart) -> None:
    about = chart.read_yaml("Chart.yaml")

    assert (about["version"], about["appVersion"]) == (__version__, __version__)


@BOTH
def test_the_schema_is_one(chart: Chart) -> None:
    jsonschema.Draft7Validator.check_schema(chart.read_schema())


@BOTH
def test_the_default_values_fit_the_schema(chart: Chart) -> None:
    assert chart.problems(chart.read_yaml("values.yaml")) == []


@BOTH
def test_the_schema_knows_all_settings(chart: Chart) -> None:
    assert chart.read_schema()["definitions"] == chart.definitions(), (
        "the settings have changed; bring the charts' schemas up to date with "
        "`python -m tests.support.chart_schema`"
    )


@BOTH
def test_the_schema_has_a_default_for_each_value(chart: Chart) -> None:
    schema, values = chart.read_schema(), chart.read_yaml("values.yaml")

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


@BOTH
def test_every_object_of_the_schema_is_closed_and_described(chart: Chart) -> None:
    def check(part: dict[str, Any], place: str) -> None:
        assert "description" in part, f"{place} is not described"
        if "properties" in part:
            assert part["additionalProperties"] is False, f"{place} takes anything"
            for name, child in part["properties"].items():
                check(child, f"{place}.{name}")

    for name, part in chart.read_schema()["properties"].items():
        check(part, name)


MISTAKES_OF_AN_AGENT: list[tuple[dict[str, Any], str]] = [
    ({"config": {"quota": {"sesions": 3}}}, "$.config.quota"),
    ({"config": {"name": "Alpha_1"}}, "$.config.name"),
    ({"config": {"kubernetes": {"hub": {"mode": "both"}}}}, "$.config.kubernetes.hub.mode"),
    ({"imgae": {}}, "$"),
    ({"builder": {"kind": "magic"}}, "$.builder.kind"),
    ({"services": {"api": {"type": "ExternalName"}}}, "$.services.api.type"),
    ({"networkPolicies": {"alsoBlocked": ["10.0.0.1"]}}, "$.networkPolicies.alsoBlocked[0]"),
    ({"terminationGracePeriodSeconds": 5}, "$.terminationGracePeriodSeconds"),
]
MISTAKES_OF_A_FEDERATION: list[tuple[dict[str, Any], str]] = [
    ({"config": {"launch": {"atempts": 3}}}, "$.config.launch"),
    ({"config": {"members": [{"name": "uni-a"}]}}, "$.config.members[0]"),
    ({"config": {"launch": {"mode": "both"}}}, "$.config.launch.mode"),
    ({"redis": {"bundeld": {}}}, "$.redis"),
    ({"redis": {"bundled": {"maxMemory": "256Mi"}}}, "$.redis.bundled.maxMemory"),
    ({"autoscaling": {"cpu": "70%"}}, "$.autoscaling.cpu"),
    ({"service": {"type": "ExternalName"}}, "$.service.type"),
    ({"httpRoute": {"parentRefs": [{}]}}, "$.httpRoute.parentRefs[0]"),
    ({"podDisruptionBudget": {"maxUnavailable": 0}}, "$.podDisruptionBudget.maxUnavailable"),
]


@pytest.mark.parametrize(
    ("chart", "values", "place"),
    [(AGENT, *each) for each in MISTAKES_OF_AN_AGENT]
    + [(FEDERATION, *each) for each in MISTAKES_OF_A_FEDERATION],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_a_wrong_value_is_named(chart: Chart, values: dict[str, Any], place: str) -> None:
    found = chart.problems(values)

    assert len(found) == 1
    assert found[0].startswith(f"{place}: ")


@BOTH
def test_the_schema_never_shows_a_secret(chart: Chart) -> None:
    secrets = chart.read_schema()["properties"]["secrets"]["properties"]

    assert {name: set(part) for name, part in secrets.items()} == {
        name: {"type", "description"} for name in secrets
    }, "a rule for a secret would put it into Helm's error message"


@BOTH
def test_the_schema_is_laid_out_for_readers(chart: Chart) -> None:
    text = (chart.folder / SCHEMA_NAME).read_text(encoding="utf-8")

    assert text == json.dumps(chart.read_schema(), indent=2, ensure_ascii=False) + "\n"
