"""Panels of a dashboard, as data: what is asked, what a reader must know, how it is drawn.

`sdk.py` makes Grafana's panels of them with grafana-foundation-sdk. Tests read the queries.
"""

from dataclasses import dataclass, field
from enum import StrEnum

WIDTH = 24


class Unit(StrEnum):
    """Grafana's names of units that are used here."""

    NUMBER = "short"
    SHARE = "percentunit"
    SECONDS = "s"
    BYTES = "bytes"
    PER_SECOND = "cps"
    PER_MINUTE = "cpm"
    BOOL = "bool_yes_no"
    VERSION = "none"


class Kind(StrEnum):
    """How a panel is drawn."""

    GRAPH = "timeseries"
    NUMBER = "stat"
    STATES = "state-timeline"
    TABLE = "table"
    HEATMAP = "heatmap"


class Tells(StrEnum):
    """What a query says of whether a member is well, so that a test can hold it to that."""

    NOTHING = "nothing"
    WELL_ABOVE_ZERO = "well_above_zero"
    """More than 0 means that it is well (or how much of it is)."""
    WELL_AT_ZERO = "well_at_zero"
    """0 means that it is well."""


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL expression. `legend` names its series in Grafana's way: `{{member}}`."""

    expression: str
    legend: str = ""
    tells: Tells = Tells.NOTHING
    is_sparse: bool = False
    """It has an answer only while something is wrong or special: empty is fine."""


@dataclass(frozen=True, slots=True)
class Step:
    """From `value` on (None: from below) the colour is this."""

    value: float | None
    color: str


GOOD = Step(None, "green")
BAD = Step(None, "red")


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. `description` says what good looks like."""

    title: str
    description: str
    queries: tuple[Query, ...]
    kind: Kind = Kind.GRAPH
    unit: Unit = Unit.NUMBER
    width: int = 12
    height: int = 8
    steps: tuple[Step, ...] = ()
    texts: tuple[tuple[float, str, str], ...] = ()
    """For states: value, word, colour."""
    is_stacked: bool = False
    runbook: str = ""
    """The alert whose section of docs/operations.md tells what to do."""
    decimals: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A heading and the panels below it."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One dashboard. `uid` is for ever: links and bookmarks have it."""

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]
    has_member: bool = False
    """It is about one member, chosen at the top."""
    tags: tuple[str, ...] = field(default=("binder", "binder-federation"))

    @property
    def panels(self) -> tuple[Panel, ...]:
        """All panels, from the top."""
        return tuple(panel for row in self.rows for panel in row.panels)


def graph(
    title: str,
    description: str,
    *queries: Query,
    unit: Unit = Unit.NUMBER,
    width: int = 12,
    steps: tuple[Step, ...] = (),
    is_stacked: bool = False,
    runbook: str = "",
) -> Panel:
    """Lines over time."""
    return Panel(
        title, description, queries,
        unit=unit, width=width, steps=steps, is_stacked=is_stacked, runbook=runbook,
    )  # fmt: skip


def number(
    title: str,
    description: str,
    query: Query,
    *,
    unit: Unit = Unit.NUMBER,
    steps: tuple[Step, ...] = (GOOD,),
    width: int = 4,
    runbook: str = "",
    decimals: int | None = None,
) -> Panel:
    """One large number with its colour."""
    return Panel(
        title, description, (query,), Kind.NUMBER,
        unit=unit, width=width, height=4, steps=steps, runbook=runbook, decimals=decimals,
    )  # fmt: skip
