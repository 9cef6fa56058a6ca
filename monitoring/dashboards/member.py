"""One member: what is said of it, what it is given, and how that ends."""

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

ONE = 'member=~"$member"'
_DAY_SECONDS = 86_400
_NOT_READY = ',outcome!="ready"'

NOW = Row(
    "Now",
    (
        Panel(
            "State",
            "The worst that any replica says. Good: up.",
            (Query(ask.worst_state(ONE), "{{member}}", Tells.WELL_AT_ZERO),),
            Kind.NUMBER,
            width=4,
            height=4,
            texts=ask.STATES,
            steps=(GOOD, Step(1, "yellow"), Step(5, "red")),
            runbook="BinderMemberDown",
        ),
        number(
            "Attempts that were ready",
            "Of those that the member could spoil. Good: above 97 %.",
            Query(ask.success_by_member(ONE, over=RANGE), "{{member}}"),
            unit=Unit.SHARE,
            steps=(BAD, Step(0.9, "yellow"), Step(0.97, "green")),
            runbook="BinderFirstAttemptSuccessLow",
            decimals=1,
        ),
        number(
            "Sessions of its places",
            "Running and starting sessions as a share of its capacity. Good: below 90 %.",
            Query(f"{ask.sessions(ONE)} / ({ask.capacity(ONE)} > 0)", "{{member}}"),
            unit=Unit.SHARE,
            steps=(GOOD, Step(0.8, "yellow"), Step(0.95, "red")),
            runbook="BinderCapacityNearlyUsed",
        ),
        number(
            "Last report",
            "Seconds since it told its load, at the replica that heard of it last. Good: below 30.",
            Query(f"min by (member) ({metric('member_report_age_seconds', ONE)})", "{{member}}"),
            unit=Unit.SECONDS,
            steps=(GOOD, Step(30, "yellow"), Step(120, "red")),
            runbook="BinderReportMissing",
        ),
        number(
            "Days that its certificate holds",
            "Of what it shows to probes; nothing for a member without TLS. Good: above 14.",
            Query(
                f"(min by (member) ({metric('member_tls_not_after_timestamp_seconds', ONE)}) "
                f"- time()) / {_DAY_SECONDS}",
                "{{member}}",
                is_sparse=True,
            ),
            steps=(BAD, Step(3, "yellow"), Step(14, "green")),
            runbook="BinderMemberCertificateEndsSoon",
        ),
        number(
            "Ejections in this time",
            "How often its launches made the federation leave it alone for a while, at the replica "
            "that did so most. Good: 0.",
            Query(
                f"max by (member) (ceil(changes({metric('member_ejected', ONE)}[{RANGE}]) / 2))",
                "{{member}}",
            ),
            steps=(GOOD, Step(1, "yellow"), Step(3, "red")),
            runbook="BinderMemberEjectedOften",
        ),
    ),
)

HEALTH = Row(
    "Health",
    (
        Panel(
            "State at each replica",
            "Replicas probe for themselves. Where they differ, look at the one that differs first.",
            (Query(ask.state_by_replica(ONE), "{{instance}}", Tells.WELL_AT_ZERO),),
            Kind.STATES,
            width=12,
            texts=ask.STATES,
            steps=(GOOD,),
            runbook="BinderReplicaSuspectsItself",
        ),
        Panel(
            "Its own checks",
            "What its /health says: its hub, its registry, its builders. Good: passes.",
            (
                Query(
                    f"min by (check) ({metric('member_check', ONE)})",
                    "{{check}}",
                ),
            ),
            Kind.STATES,
            width=12,
            texts=((1, "passes", "green"), (0, "fails", "red")),
            steps=(BAD, Step(1, "green")),
            runbook="BinderMemberDown",
        ),
        graph(
            "Probes",
            "A second, of all replicas. Good: none missed.",
            Query(f"sum by (outcome) ({rate('probes_total', ONE)})", "{{outcome}}"),
            unit=Unit.PER_SECOND,
        ),
        graph(
            "Weight",
            "The configured share, and what of it counts now: less after an outage or a doubt, "
            "nothing while it is not well.",
            Query(f"max by (member) ({metric('member_weight', ONE)})", "configured"),
            Query(
                f"min by (member) ({metric('member_effective_weight', ONE)}) * {ask.well(ONE)}",
                "in force",
                Tells.WELL_ABOVE_ZERO,
            ),
        ),
    ),
)

LAUNCHES = Row(
    "Launches",
    (
        graph(
            "Attempts by outcome",
            "A minute. `member` is its own failure; `repository` is nobody's here; `quota` says "
            "that it was full.",
            Query(f"60 * sum by (outcome) ({rate('attempts_total', ONE)})", "{{outcome}}"),
            unit=Unit.PER_MINUTE,
            is_stacked=True,
        ),
        graph(
            "Failed attempts by phase",
            "Where attempts end that were not ready: before the build, in it, or as the server "
            "starts.",
            Query(
                f"60 * sum by (phase) ({rate('attempts_total', ONE + _NOT_READY)})",
                "{{phase}}",
                is_sparse=True,
            ),
            unit=Unit.PER_MINUTE,
        ),
        graph(
            "Seconds to ready, and what was expected",
            "Medians of the same launches. Good: close together; the estimate learns within an "
            "hour.",
            Query(ask.quantile(0.5, "launch_duration_seconds", labels=ONE), "took"),
            Query(ask.quantile(0.5, "launch_estimate_seconds", labels=ONE), "expected"),
            unit=Unit.SECONDS,
            runbook="BinderLaunchesSlow",
        ),
        graph(
            "Sessions",
            "Running, starting and warm ones, below its places.",
            Query(
                f"max by (kind) ({metric('member_sessions', ONE)})",
                "{{kind}}",
            ),
            Query(ask.capacity(ONE), "places"),
            runbook="BinderCapacityNearlyUsed",
        ),
        graph(
            "Builds and their slots",
            "Good: seldom at the limit; visitors of new repositories wait then.",
            Query(f"max by (member) ({metric('member_builds', ONE)})", "run or wait"),
            Query(f"max by (member) ({metric('member_build_slots', ONE)})", "slots"),
        ),
        graph(
            "Images",
            "That the federation knows of. It falls when the member removes what nobody uses.",
            Query(f"max by (member) ({metric('member_images', ONE)})", "images"),
        ),
    ),
)

DASHBOARD = Dashboard(
    uid="binderfed-member",
    title="Binder / One member",
    description="What is said of one member, what it is given, and how that ends.",
    rows=(NOW, HEALTH, LAUNCHES),
    has_member=True,
)
