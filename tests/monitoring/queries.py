"""All queries of dashboards and rules, with variables filled in as Grafana fills them."""

import re
from collections.abc import Iterator, Mapping

from monitoring.annotations import ANNOTATIONS
from monitoring.dashboards import DASHBOARDS
from monitoring.panels import Panel, Query
from monitoring.rules.alerts import all_alerts
from monitoring.rules.recording import RECORDINGS

_VARIABLE = re.compile(r"\$(__rate_interval|__range|__interval|job|namespace|member)\b")
_METRIC = re.compile(r"\b(binderfed_\w+|process_\w+)(\{[^}]*\})?")
_LABEL = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
FILLED: Mapping[str, str] = {
    "__rate_interval": "1m",
    "__range": "6h",
    "__interval": "15s",
    "job": "federation",
    "namespace": ".*",
    "member": "alpha",
}


def fill(expression: str, values: Mapping[str, str] = FILLED) -> str:
    """The expression as Prometheus gets it."""
    filled = _VARIABLE.sub(lambda found: values[found[1]], expression)
    assert "$" not in filled, f"a variable that is not known: {expression}"
    return filled


def panel_queries() -> Iterator[tuple[str, Panel, Query]]:
    """Every query of every panel, with words to find it by."""
    for dashboard in DASHBOARDS:
        for panel in dashboard.panels:
            for query in panel.queries:
                yield f"{dashboard.title} / {panel.title} / {query.legend}", panel, query


def all_expressions() -> Iterator[tuple[str, str]]:
    """Everything that is asked anywhere, by whom."""
    for name, _panel, query in panel_queries():
        yield name, fill(query.expression)
    for annotation in ANNOTATIONS:
        yield f"annotation {annotation['name']}", fill(annotation["expr"])
    for alert in all_alerts():
        yield alert.name, alert.expression
    for recording in RECORDINGS:
        yield recording.name, recording.expression


def metrics_of(expression: str) -> Iterator[tuple[str, frozenset[str]]]:
    """Metrics that an expression names outside of recording rules, with the labels it matches."""
    without_rules = re.sub(r"\b\w+:\w+:\w+(\{[^}]*\})?", " ", expression)
    for name, matchers in _METRIC.findall(without_rules):
        yield name, frozenset(_LABEL.findall(matchers)) - {"job", "namespace", "instance"}
