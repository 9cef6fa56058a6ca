"""What visitors live through: do their launches succeed, how long do they wait, and where?"""

from monitoring import questions as ask
from monitoring.metrics import RANGE, RATE, metric, not_ours, rate
from monitoring.panels import (
    BAD,
    Dashboard,
    Kind,
    Panel,
    Query,
    Row,
    Step,
    Unit,
    graph,
    number,
)

_FAILED = f'outcome!~"ready|{not_ours()}"'
_GIVEN_UP = 'outcome="given_up"'
_GOOD_SHARE = (BAD, Step(0.95, "yellow"), Step(0.99, "green"))

NOW = Row(
    "In the time shown",
    (
        number(
            "Launches",
            "That ended, however they ended.",
            Query(ask.total("launches_total")),
            decimals=0,
        ),
        number(
            "Ready",
            "Of those that neither the visitor, the repository nor a quota stopped. Good: above "
            "99 %.",
            Query(ask.success_share(over=RANGE)),
            unit=Unit.SHARE,
            steps=_GOOD_SHARE,
            runbook="BinderLaunchesFail",
            decimals=2,
        ),
        number(
            "Ready at once",
            "The same, with the first attempt. The rest was saved by failover, and waited longer.",
            Query(ask.success_share(over=RANGE, is_first=True)),
            unit=Unit.SHARE,
            steps=(BAD, Step(0.9, "yellow"), Step(0.97, "green")),
            runbook="BinderFirstAttemptSuccessLow",
            decimals=2,
        ),
        number(
            "Median wait",
            "Seconds from the request to ready. Good: below 15.",
            Query(ask.quantile_over(0.5, "launch_duration_seconds", RANGE)),
            unit=Unit.SECONDS,
            steps=(Step(None, "green"), Step(15, "yellow"), Step(60, "red")),
        ),
        number(
            "Wait of the slowest twentieth",
            "Seconds that 95 % of visitors did not exceed. Builds are in it.",
            Query(ask.quantile_over(0.95, "launch_duration_seconds", RANGE)),
            unit=Unit.SECONDS,
            steps=(Step(None, "green"), Step(240, "yellow"), Step(600, "red")),
        ),
        number(
            "Gave up",
            "Launches that nobody watched any more before they were ready, of all. Good: few.",
            Query(
                f"(sum(increase({metric('launches_total', _GIVEN_UP)}[{RANGE}])) or vector(0)) "
                f"/ (sum(increase({metric('launches_total')}[{RANGE}])) > 0)"
            ),
            unit=Unit.SHARE,
            steps=(Step(None, "green"), Step(0.1, "yellow"), Step(0.3, "red")),
            decimals=1,
        ),
    ),
)

SUCCESS = Row(
    "Do they succeed?",
    (
        graph(
            "Ready launches",
            "Shares of those that nobody outside spoiled: in the end, and with the first attempt.",
            Query(ask.success_share(), "ready"),
            Query(ask.success_share(is_first=True), "ready at once"),
            unit=Unit.SHARE,
            runbook="BinderLaunchesFail",
        ),
        graph(
            "Failures that are ours",
            "A minute, by code. Nothing is good.",
            Query(
                f"60 * sum by (outcome) ({rate('launches_total', _FAILED)})",
                "{{outcome}}",
                is_sparse=True,
            ),
            unit=Unit.PER_MINUTE,
            runbook="BinderLaunchesFail",
        ),
        graph(
            "Ready attempts by member",
            "The share of attempts that the member did not spoil.",
            Query(ask.success_by_member(), "{{member}}"),
            unit=Unit.SHARE,
            runbook="BinderFirstAttemptSuccessLow",
        ),
        graph(
            "Attempts by outcome",
            "A minute. More attempts than launches: failover at work.",
            Query(f"60 * sum by (outcome) ({rate('attempts_total')})", "{{outcome}}"),
            unit=Unit.PER_MINUTE,
            is_stacked=True,
        ),
        graph(
            "Refused before they began",
            "A minute, by code: bans, rate limits, quotas, links that cannot be.",
            Query(f"60 * sum by (code) ({rate('refused_total')})", "{{code}}", is_sparse=True),
            unit=Unit.PER_MINUTE,
        ),
        graph(
            "Launches by outcome",
            "A minute, all of them.",
            Query(f"60 * sum by (outcome) ({rate('launches_total')})", "{{outcome}}"),
            unit=Unit.PER_MINUTE,
            is_stacked=True,
        ),
    ),
)

WAITING = Row(
    "How long do they wait?",
    (
        Panel(
            "Seconds to ready",
            "How many launches took how long. Two bands are normal: images that are near, and "
            "builds.",
            (
                Query(
                    f"sum by (le) (increase({metric('launch_duration_seconds_bucket')}[{RATE}]))",
                    "{{le}}",
                ),
            ),
            Kind.HEATMAP,
            Unit.SECONDS,
        ),
        graph(
            "Median wait by where the image was",
            "warm: a server runs already; node: the image is there; registry: it is pulled; "
            "building: another's build; none: a build of its own.",
            Query(ask.quantile(0.5, "launch_duration_seconds", ", locality"), "{{locality}}"),
            unit=Unit.SECONDS,
        ),
        graph(
            "Median wait by member",
            "Seconds to ready at the member that it was ready at.",
            Query(ask.quantile(0.5, "launch_duration_seconds", ", member"), "{{member}}"),
            unit=Unit.SECONDS,
        ),
        graph(
            "Expected and real",
            "Medians of the decisions' estimates and of the same launches' waits.",
            Query(ask.quantile(0.5, "launch_estimate_seconds"), "expected"),
            Query(ask.quantile(0.5, "launch_duration_seconds"), "took"),
            unit=Unit.SECONDS,
            runbook="BinderLaunchesSlow",
        ),
        graph(
            "Real as a multiple of expected",
            "Good: the median about 1. Above 2 the decision believes what is not so.",
            Query(ask.quantile(0.5, "estimate_error_ratio"), "median"),
            Query(ask.quantile(0.9, "estimate_error_ratio"), "90 %"),
            runbook="BinderLaunchesSlow",
        ),
        graph(
            "Visitors waiting",
            "Open event streams, each with somebody before it.",
            Query(f"sum({metric('streams_in_flight')})", "streams"),
        ),
    ),
)

DASHBOARD = Dashboard(
    uid="binderfed-launches",
    title="Binder / Launches and user experience",
    description="Do launches succeed, how long do visitors wait, and for what?",
    rows=(NOW, SUCCESS, WAITING),
)
