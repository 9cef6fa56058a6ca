"""What is in the chart is what the code makes, and Grafana and Prometheus take it."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard as GrafanaDashboard

from monitoring.dashboards import DASHBOARDS
from monitoring.panels import Tells
from monitoring.rules.alerts import all_alerts
from monitoring.runbooks import RUNBOOKS, anchor
from monitoring.sdk import make_json
from monitoring.writing import CHART, made_files
from tests.monitoring.queries import all_expressions, panel_queries
from tests.support.promtool import promtool

MADE = {dashboard.uid: json.loads(make_json(dashboard)) for dashboard in DASHBOARDS}
OPERATIONS = Path("docs/operations.md")
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def _panels(made: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in made["panels"] if panel["type"] != "row"]


def test_the_chart_has_what_the_code_makes() -> None:
    made = {CHART / path: text for path, text in made_files()}
    there = {*(CHART / "dashboards").iterdir(), *(CHART / "rules").iterdir()}
    assert there == set(made), "run `python -m monitoring`, and remove what it does not make"
    for file, text in made.items():
        assert file.read_text() == text, f"{file.name} is old: run `python -m monitoring`"


def test_dashboards_are_what_grafana_takes() -> None:
    for uid, made in MADE.items():
        read = GrafanaDashboard.from_json(made)
        again = json.loads(JSONEncoder().encode(read))
        del again["annotations"]
        assert again == {key: value for key, value in made.items() if key != "annotations"}, (
            f"{uid} has fields that Grafana's types do not know"
        )


def test_addresses_and_titles_are_there_once() -> None:
    assert len(MADE) == len(DASHBOARDS), "two dashboards share a uid"
    titles = Counter(made["title"] for made in MADE.values())
    assert set(titles.values()) == {1}
    for uid, made in MADE.items():
        assert 8 <= len(uid) <= 40, f"Grafana takes uids of 8 to 40 characters: {uid}"
        assert "binder-federation" in made["tags"], "links between dashboards go by this tag"
        assert any(link["type"] == "dashboards" for link in made["links"])


def test_panels_have_their_own_places_and_numbers() -> None:
    for uid, made in MADE.items():
        numbers = Counter(panel["id"] for panel in made["panels"])
        assert set(numbers.values()) == {1}, f"{uid}: panels share a number"
        taken: dict[tuple[int, int], str] = {}
        for panel in made["panels"]:
            place = panel["gridPos"]
            assert place["x"] + place["w"] <= 24, f"{uid}: {panel['title']} is too wide"
            for x in range(place["x"], place["x"] + place["w"]):
                for y in range(place["y"], place["y"] + place["h"]):
                    other = taken.setdefault((x, y), panel["title"])
                    assert other == panel["title"], f"{uid}: {other} lies on {panel['title']}"


def test_panels_say_what_they_ask_whom_and_what_is_good() -> None:
    for uid, made in MADE.items():
        for panel in _panels(made):
            name = f"{uid}: {panel['title']}"
            assert len(panel["description"]) > 12, f"{name} does not explain itself"
            assert panel["fieldConfig"]["defaults"]["unit"], f"{name} has no unit"
            assert panel["datasource"] == SOURCE, f"{name} asks another source"
            references = [target["refId"] for target in panel["targets"]]
            assert len(set(references)) == len(references), f"{name}: queries share a letter"
            for target in panel["targets"]:
                assert target["datasource"] == SOURCE, f"{name} asks another source"


def test_words_of_states_are_drawn_in_the_order_of_their_numbers() -> None:
    (panel,) = [each for each in _panels(MADE["binderfed-overview"]) if each["title"] == "States"]
    options = panel["fieldConfig"]["defaults"]["mappings"][0]["options"]
    assert options["0"]["text"] == "up"
    assert options["7"] == {"color": "red", "index": 7, "text": "down"}


def test_each_alert_has_its_runbook() -> None:
    sections = {
        anchor(line.removeprefix("## ").strip())
        for line in OPERATIONS.read_text().splitlines()
        if line.startswith("## Binder")
    }
    alerts = {anchor(alert.name) for alert in all_alerts()}
    assert sections == alerts, "docs/operations.md and monitoring/rules name different alerts"
    for _name, panel, _query in panel_queries():
        assert not panel.runbook or anchor(panel.runbook) in alerts, (
            f"{panel.title} leads to a runbook that is not there: {panel.runbook}"
        )
    for alert in all_alerts():
        link = alert.to_rule()["annotations"]["runbook_url"]
        assert link == f"{RUNBOOKS}#{anchor(alert.name)}"


def test_all_queries_are_promql(tmp_path: Path) -> None:
    rules = [
        {"record": f"query:number{index}:last", "expr": expression}
        for index, (_name, expression) in enumerate(all_expressions())
    ]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    is_well, said = promtool("check", "rules", file.name, folder=tmp_path)
    assert is_well, said


def test_who_asks_for_health_says_what_its_answer_means() -> None:
    """So that the live test can hold it to that when a member dies."""
    for name, _panel, query in panel_queries():
        tells_state = "binderfed_member_state" in query.expression
        if tells_state and "{{member}}" in query.legend:
            assert query.tells is not Tells.NOTHING, f"{name} does not say when a member is well"
