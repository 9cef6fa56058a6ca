"""Makes Grafana's dashboards, with grafana-foundation-sdk, from the data of `panels.py`."""

import json
from typing import Any

from grafana_foundation_sdk.builders import (
    common,
    heatmap,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
    VariableRefresh,
    VariableSort,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from monitoring.annotations import ANNOTATIONS
from monitoring.panels import WIDTH, Dashboard, Kind, Panel, Query
from monitoring.runbooks import RUNBOOKS, anchor

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
_FILL_PERCENT = 8
AnyPanel = (
    timeseries.Panel | stat.Panel | statetimeline.Panel | table.Panel | heatmap.Panel
)  # fmt: skip
_PANELS: dict[Kind, type[AnyPanel]] = {
    Kind.GRAPH: timeseries.Panel,
    Kind.NUMBER: stat.Panel,
    Kind.STATES: statetimeline.Panel,
    Kind.TABLE: table.Panel,
    Kind.HEATMAP: heatmap.Panel,
}


def make_json(dashboard: Dashboard) -> str:
    """The dashboard as Grafana's sidecar and provisioning take it."""
    made = _make(dashboard)
    encoded: dict[str, Any] = json.loads(JSONEncoder(sort_keys=True).encode(made))
    encoded["annotations"] = {"list": list(ANNOTATIONS)}
    return json.dumps(encoded, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _make(dashboard: Dashboard) -> model.Dashboard:
    builder = (
        build.Dashboard(dashboard.title)
        .uid(dashboard.uid)
        .description(dashboard.description)
        .tags(list(dashboard.tags))
        .timezone("browser")
        .time("now-6h", "now")
        .refresh("30s")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .editable()
        .link(_other_dashboards())
        .link(_runbooks())
    )
    for variable in _variables(dashboard):
        builder = builder.with_variable(variable)
    number = 0
    for row in dashboard.rows:
        number += 1
        builder = builder.with_row(build.Row(row.title).id(number))
        for panel in row.panels:
            number += 1
            builder = builder.with_panel(_make_panel(panel, number))
    return builder.build()


def _other_dashboards() -> build.DashboardLink:
    return (
        build.DashboardLink("Federation's dashboards")
        .type(DashboardLinkType.DASHBOARDS)
        .tags(["binder-federation"])
        .as_dropdown(True)
        .include_vars(True)
        .keep_time(True)
    )


def _runbooks() -> build.DashboardLink:
    return (
        build.DashboardLink("Runbooks")
        .type(DashboardLinkType.LINK)
        .url(RUNBOOKS)
        .icon("doc")
        .target_blank(True)
    )


def _variables(dashboard: Dashboard) -> list[Any]:
    variables: list[Any] = [
        build.DatasourceVariable("datasource").label("Prometheus").type("prometheus"),
        _values("job", "Federation", "label_values(binderfed_build_info, job)"),
        _values(
            "namespace", "Namespace", 'label_values(binderfed_build_info{job=~"$job"}, namespace)'
        )
        .include_all(True)
        .all_value(".*")
        .current(model.VariableOption(selected=True, text="All", value="$__all")),
    ]
    if dashboard.has_member:
        query = 'label_values(binderfed_member_info{job=~"$job",namespace=~"$namespace"}, member)'
        variables.append(_values("member", "Member", query))
    return variables


def _values(name: str, label: str, query: str) -> build.QueryVariable:
    return (
        build.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query({"query": query, "refId": f"values-of-{name}"})
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_CASE_INSENSITIVE_ASC)
    )


def _make_panel(panel: Panel, number: int) -> AnyPanel:
    made = _PANELS[panel.kind]()
    made.id(number).title(panel.title).description(panel.description).datasource(SOURCE)
    made.span(min(panel.width, WIDTH)).height(panel.height).unit(panel.unit.value)
    if panel.decimals is not None:
        made.decimals(panel.decimals)
    if panel.steps:
        steps = [Threshold(value=step.value, color=step.color) for step in panel.steps]
        made.thresholds(build.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
    if panel.texts:
        made.mappings([_words(panel)])
    if panel.runbook:
        made.links([_panel_link(panel.runbook)])
    for index, query in enumerate(panel.queries):
        made.with_target(_make_query(query, panel.kind, chr(ord("A") + index)))
    _style(made, panel)
    return made


def _words(panel: Panel) -> ValueMap:
    return ValueMap(
        options={
            f"{value:g}": ValueMappingResult(text=text, color=color, index=index)
            for index, (value, text, color) in enumerate(panel.texts)
        }
    )


def _panel_link(alert: str) -> build.DashboardLink:
    return (
        build.DashboardLink("What to do")
        .type(DashboardLinkType.LINK)
        .url(f"{RUNBOOKS}#{anchor(alert)}")
        .target_blank(True)
    )


def _make_query(query: Query, kind: Kind, ref_id: str) -> Dataquery:
    made = Dataquery().expr(query.expression).ref_id(ref_id).datasource(SOURCE)
    if query.legend:
        made.legend_format(query.legend)
    if kind is Kind.TABLE:
        return made.instant().format(PromQueryFormat.TABLE)
    made.range()
    return made.format(PromQueryFormat.HEATMAP) if kind is Kind.HEATMAP else made


def _style(made: AnyPanel, panel: Panel) -> None:
    match made:
        case timeseries.Panel():
            made.legend(
                common.VizLegendOptions()
                .display_mode(LegendDisplayMode.TABLE)
                .placement(LegendPlacement.BOTTOM)
                .show_legend(True)
                .calcs(["lastNotNull", "max"])
            )
            made.tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
            made.fill_opacity(_FILL_PERCENT).show_points(VisibilityMode.NEVER).min(0)
            if panel.is_stacked:
                made.stacking(common.StackingConfig().mode(StackingMode.NORMAL))
        case stat.Panel():
            made.graph_mode(BigValueGraphMode.AREA).text_mode(BigValueTextMode.VALUE)
            made.color_mode(BigValueColorMode.VALUE)
            made.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        case statetimeline.Panel():
            made.merge_values(True).show_value(VisibilityMode.AUTO).row_height(0.8)
        case _:
            pass
