"""A simulation's result, for people: the assumptions, a table, where seconds went."""

from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from binder_federation.federation.simulation.disturbance import Disturbance
from binder_federation.federation.simulation.plan import Plan
from binder_federation.federation.simulation.settings import describe
from binder_federation.federation.simulation.summary import Summary, average
from binder_federation.federation.simulation.tally import Loss

COLUMNS = (
    "Policy",
    "mean s",
    "p50",
    "p95",
    "p99",
    "above bound s",
    "of random's",
    "builds",
    "duplicates",
    "pulls",
    "refused",
    "load p95",
    "per second",
)


def render(
    summaries: Sequence[Summary],
    disturbances: Sequence[Disturbance],
    *,
    plan: Plan,
    slots: int,
    shows_losses: bool,
) -> Group:
    """All of it, as rich renders it."""
    parts: list[Table | Text] = [_results(summaries)]
    if shows_losses:
        parts += [Text(), _losses(summaries)]
    if disturbances:
        parts += [Text(), _disturbances(disturbances)]
    parts += [Text(), _assumptions(plan, slots)]
    return Group(*parts)


def by_policy(summaries: Sequence[Summary]) -> dict[str, list[Summary]]:
    """The seeds of each policy, in the order in which policies were asked for."""
    found: dict[str, list[Summary]] = {}
    for summary in summaries:
        found.setdefault(summary.policy, []).append(summary)
    return found


def avoidable_of_random(summaries: Sequence[Summary]) -> dict[str, float]:
    """Each policy's avoidable seconds as a share of random choice's, where that was simulated."""
    means = {
        name: average(each)["avoidable_seconds"] for name, each in by_policy(summaries).items()
    }
    random = means.get("random")
    return {name: seconds / random for name, seconds in means.items()} if random else {}


def _results(summaries: Sequence[Summary]) -> Table:
    table = _table(*COLUMNS)
    of_random = avoidable_of_random(summaries)
    for name, each in by_policy(summaries).items():
        row = average(each)
        table.add_row(
            name,
            *(f"{row[f'{what}_seconds']:.1f}" for what in ("mean", "p50", "p95", "p99")),
            f"{row['avoidable_seconds']:.2f}",
            f"{of_random[name]:.0%}" if name in of_random else "",
            f"{row['builds']:,.0f}",
            f"{row['duplicate_share']:.1%}",
            f"{row['pulls']:,.0f}",
            f"{row['refusal_share']:.2%}",
            f"{row['p95_spread']:.2f}",
            f"{row['decisions_per_second']:,.0f}",
        )
    row = average(summaries)
    bound, compulsory = f"{row['bound_seconds']:.1f}", f"{row['compulsory_builds']:,.0f}"
    table.add_row("lower bound", bound, *[""] * 3, "0", "", compulsory, style="dim")
    return table


def _losses(summaries: Sequence[Summary]) -> Table:
    table = _table("Seconds above the bound by", *(loss.value.replace("_", " ") for loss in Loss))
    for name, each in by_policy(summaries).items():
        lost = [summary.lost_seconds for summary in each]
        table.add_row(name, *(f"{sum(one[loss] for one in lost) / len(lost):.3f}" for loss in Loss))
    return table


def _disturbances(disturbances: Sequence[Disturbance]) -> Table:
    table = _table("Event", "seed", "launches", "of what it held", "others moved", "more builds")
    for each in disturbances:
        table.add_row(
            f"{each.policy}: {each.member} {each.kind}",
            str(each.seed),
            str(each.launches),
            str(each.held),
            f"{each.moved} ({each.moved_share:.1%})",
            f"{each.builds - each.builds_without:+} ({each.more_builds_share:+.1%})",
        )
    return table


def _assumptions(plan: Plan, slots: int) -> Table:
    table = Table(box=None, show_header=False, title="Assumed", title_justify="left")
    known: dict[str, object] = {"slots_of_each_member": slots, "warm_up_days": plan.warm_up_days}
    named = [*(known | describe(plan.fleet, plan.world)).items()]
    half = (len(named) + 1) // 2
    for first, second in zip(named, [*named[half:], *[("", "")] * half], strict=False):
        if len(table.rows) < half:
            table.add_row(first[0], _value(first[1]), second[0], _value(second[1]), style="dim")
    return table


def _value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _table(*headings: str) -> Table:
    table = Table(box=None, header_style="bold")
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="left" if number == 0 else "right")
    return table
