"""Is the federation well, and if not, which member or which part is it?"""

from monitoring import questions as ask
from monitoring.metrics import RANGE, metric, rate
from monitoring.panels import (
    BAD,
    GOOD,
    Dashboard,
    Kind,
    Panel,
    Query,
    Row,
    Step,
    Tells,
    Unit,
    graph,
    number,
)

SOMEBODY = 'member!="none"'
_SHARE_STEPS = (BAD, Step(0.9, "yellow"), Step(0.97, "green"))

NOW = Row(
    "Now",
    (
        number(
            "Members that are well",
            "Well for every replica, and not ejected. Good: all of them, but for those drained.",
            Query(f"sum({ask.well()})"),
            steps=(BAD, Step(1, "yellow"), Step(2, "green")),
            runbook="BinderMemberDown",
        ),
        number(
            "Members that are not",
            "Down, suspect, draining, ejected or not probed yet, for any replica. Good: 0.",
            Query(f"{ask.members()} - sum({ask.well()})"),
            steps=(GOOD, Step(1, "red")),
            runbook="BinderMemberDown",
        ),
        number(
            "May receive launches",
            "Members that the replica that sees fewest of them would send a launch to: well, with "
            "room, not draining. At 0 visitors are told to wait.",
            Query(f"min({metric('eligible_members')})"),
            steps=(BAD, Step(1, "yellow"), Step(2, "green")),
            runbook="BinderNoEligibleMember",
        ),
        number(
            "First attempt ready",
            "Launches whose first attempt was ready, of those that neither the visitor, the "
            "repository nor a quota stopped. Good: above 97 %.",
            Query(ask.success_share(over=RANGE, is_first=True)),
            unit=Unit.SHARE,
            steps=_SHARE_STEPS,
            runbook="BinderFirstAttemptSuccessLow",
            decimals=1,
        ),
        number(
            "Launches ready",
            "The same with failover: what visitors got in the end. Good: above 99 %.",
            Query(ask.success_share(over=RANGE)),
            unit=Unit.SHARE,
            steps=(BAD, Step(0.95, "yellow"), Step(0.99, "green")),
            runbook="BinderLaunchesFail",
            decimals=1,
        ),
        number(
            "Panic",
            "Health is disregarded, as too few members are well: the worst case but one. Good: no.",
            Query(f"max({metric('panic')})"),
            unit=Unit.BOOL,
            steps=(GOOD, Step(1, "red")),
            runbook="BinderPanic",
        ),
    ),
)

MEMBERS = Row(
    "Members",
    (
        Panel(
            "States",
            "The worst that any replica says of each member. Good: green lines all along.",
            (Query(ask.worst_state(), "{{member}}", Tells.WELL_AT_ZERO),),
            Kind.STATES,
            width=24,
            texts=ask.STATES,
            steps=(GOOD,),
            runbook="BinderMemberDown",
        ),
        graph(
            "Launches sent to each member",
            "Decisions a minute. Good: in proportion to weights and to where images are; a member "
            "that is drained or down gets none.",
            Query(
                f"60 * sum by (member) ({rate('decisions_total', SOMEBODY)})",
                "{{member}}",
            ),
            unit=Unit.PER_MINUTE,
            is_stacked=True,
        ),
        graph(
            "Share of the traffic that members may get",
            "The effective weight, nothing while a member is not well. After an outage it grows "
            "for a quarter of an hour.",
            Query(
                f"min by (member) ({metric('member_effective_weight')}) * {ask.well()}",
                "{{member}}",
                Tells.WELL_ABOVE_ZERO,
            ),
        ),
    ),
)

VISITORS = Row(
    "Visitors",
    (
        graph(
            "Launches by outcome",
            "A minute. `ready` is good; `build_failed` and the like are the repository's.",
            Query(f"60 * sum by (outcome) ({rate('launches_total')})", "{{outcome}}"),
            unit=Unit.PER_MINUTE,
            is_stacked=True,
        ),
        graph(
            "Seconds to ready",
            "From the request to a session that answers, failed attempts and all. Good: a median "
            "of seconds, for images that are somewhere.",
            *(
                Query(ask.quantile(share, "launch_duration_seconds"), f"{share:.0%}")
                for share in (0.5, 0.9, 0.99)
            ),
            unit=Unit.SECONDS,
            runbook="BinderLaunchesSlow",
        ),
        graph(
            "Sessions and places",
            "All members together. Good: below 90 %.",
            Query(f"sum({ask.sessions()})", "sessions"),
            Query(f"sum({ask.capacity()} * {ask.well()})", "places at members that are well"),
            runbook="BinderCapacityNearlyUsed",
        ),
        graph(
            "Open event streams",
            "Visitors who wait for their session just now.",
            Query(f"sum({metric('streams_in_flight')})", "streams"),
        ),
    ),
)

DASHBOARD = Dashboard(
    uid="binderfed-overview",
    title="Binder / Federation overview",
    description="Is the federation well, and if not, which member or which part is it?",
    rows=(NOW, MEMBERS, VISITORS),
)
