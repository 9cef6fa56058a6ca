"""Alert rules for the Prometheus operator, dashboards for Grafana: all of them, unchanged."""

import json
from typing import Any

import yaml

from tests.support.chart_schema import FEDERATION
from tests.support.helm import Json
from tests.support.helm_values import render_federation

OPERATOR_API = "monitoring.coreos.com/v1"
MOST_BYTES = 900_000
"""Of a ConfigMap: the cluster takes 1 MiB with everything around it."""


def rules_of(groups: list[Json]) -> list[Json]:
    return [rule for group in groups for rule in group["rules"]]


def written_groups() -> list[Json]:
    """Of the files beside the chart, in the order of their names."""
    files = sorted((FEDERATION.folder / "rules").glob("*.yaml"))
    return [group for file in files for group in yaml.safe_load(file.read_text())["groups"]]


def made_groups(**changes: Any) -> list[Json]:
    """Of the object."""
    wanted = {"prometheusRule.enabled": True, **changes}
    rule = render_federation(wanted, apis=[OPERATOR_API]).one("PrometheusRule")
    groups: list[Json] = rule["spec"]["groups"]
    return groups


def test_rules_are_made_where_the_kind_is() -> None:
    wanted = {"prometheusRule": {"enabled": True, "labels": {"release": "ours"}}}

    assert render_federation(wanted).all("PrometheusRule") == []
    assert render_federation({}, apis=[OPERATOR_API]).all("PrometheusRule") == []
    rule = render_federation(wanted, apis=[OPERATOR_API]).one("PrometheusRule")
    assert rule["metadata"]["labels"]["release"] == "ours"


def test_the_cluster_gets_the_rules_as_they_are_written() -> None:
    assert written_groups(), "charts/federation/rules has no rules"
    assert made_groups() == written_groups()


def test_every_alert_can_get_a_label() -> None:
    rules = rules_of(made_groups(**{"prometheusRule.alertLabels": {"team": "binder"}}))

    alerts = [rule for rule in rules if "alert" in rule]
    assert alerts
    assert all(rule["labels"]["team"] == "binder" for rule in alerts)
    assert all("severity" in rule["labels"] for rule in alerts), "its own labels are gone"
    assert all("team" not in rule.get("labels", {}) for rule in rules if "record" in rule)


def test_grafana_gets_every_dashboard_unchanged() -> None:
    rendered = render_federation({"dashboards": {"enabled": True, "namespace": "monitoring"}})

    made: dict[str, str] = {}
    for each in rendered.all("ConfigMap"):
        if each["metadata"]["labels"].get("grafana_dashboard") == "1":
            assert each["metadata"]["namespace"] == "monitoring"
            assert each["metadata"]["annotations"] == {"grafana_folder": "Binder"}
            made |= each["data"]
    files = (FEDERATION.folder / "dashboards").glob("*.json")
    written = {file.name: json.loads(file.read_text()) for file in files}
    assert written, "charts/federation/dashboards has none"
    assert {name: json.loads(text) for name, text in made.items()} == written
    assert all(len(text.encode()) < MOST_BYTES for text in made.values())


def test_without_being_asked_there_are_no_dashboards() -> None:
    assert [each["metadata"]["name"] for each in render_federation({}).all("ConfigMap")] == [
        "alpha-federation"
    ]
