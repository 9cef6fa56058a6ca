"""Where are images, and do launches go there?"""

from monitoring import questions as ask
from monitoring.metrics import increase, metric, rate
from monitoring.panels import BAD, Dashboard, Query, Row, Step, Unit, graph, number

_NEAR = 'tier=~"warm|node"'
_HELD = 'tier=~"warm|node|registry"'
_BUILD_FAILED = 'outcome="repository",phase="building"'


def _share(labels: str) -> str:
    counted = f"sum({increase('locality_total')})"
    return f"sum({increase('locality_total', labels)}) / ({counted} > 0)"


NOW = Row(
    "In the time shown",
    (
        number(
            "Image was there",
            "Decisions for a member that had the image on a machine or in its registry. Good: "
            "above 95 % where visitors come back to the same repositories.",
            Query(_share(_HELD)),
            unit=Unit.SHARE,
            steps=(BAD, Step(0.8, "yellow"), Step(0.95, "green")),
            decimals=1,
        ),
        number(
            "Server or image was near",
            "Decisions for a warm server, or a machine that holds the image: seconds, not minutes.",
            Query(_share(_NEAR)),
            unit=Unit.SHARE,
            decimals=1,
        ),
        number(
            "Warm server",
            "Decisions that found a server that ran already.",
            Query(_share('tier="warm"')),
            unit=Unit.SHARE,
            decimals=1,
        ),
        number(
            "Had to build",
            "Decisions for a member that had to build the image.",
            Query(_share('tier="none"')),
            unit=Unit.SHARE,
            decimals=1,
        ),
        number(
            "Images that are known",
            "Different ones, at whatever members.",
            Query(f"max({metric('mirror_images')})"),
            decimals=0,
        ),
        number(
            "Copies of each image",
            "Members that hold an image, in the mean. It grows with hot repositories.",
            Query(f"max({metric('mirror_facts')}) / (max({metric('mirror_images')}) > 0)"),
            decimals=2,
        ),
    ),
)

LOCALITY = Row(
    "Locality",
    (
        graph(
            "Decisions by how near the image was",
            "A minute. Good: mostly warm, node and registry.",
            Query(f"60 * sum by (tier) ({rate('locality_total')})", "{{tier}}"),
            unit=Unit.PER_MINUTE,
            is_stacked=True,
        ),
        graph(
            "Median wait by where the image was",
            "What nearness is worth, in seconds to ready.",
            Query(ask.quantile(0.5, "launch_duration_seconds", ", locality"), "{{locality}}"),
            unit=Unit.SECONDS,
        ),
        graph(
            "Decisions by reason",
            "A minute: why a member was chosen.",
            Query(f"60 * sum by (reason) ({rate('decisions_total')})", "{{reason}}"),
            unit=Unit.PER_MINUTE,
            is_stacked=True,
        ),
        graph(
            "Images at each member",
            "That the federation knows of.",
            Query(f"max by (member) ({metric('member_images')})", "{{member}}"),
        ),
        graph(
            "Warm servers",
            "Servers that run before their visitor comes.",
            Query(ask.sessions_of("warm"), "{{member}}"),
            is_stacked=True,
        ),
        graph(
            "Copies of hot images",
            "Asked for in the time shown, by member: made ahead of need. `failed` should be rare.",
            Query(
                f"sum by (member, outcome) ({increase('copies_total')})",
                "{{member}} {{outcome}}",
                is_sparse=True,
            ),
        ),
    ),
)

BUILDS = Row(
    "Builds",
    (
        graph(
            "Builds at each member",
            "That run or wait.",
            Query(f"max by (member) ({metric('member_builds')})", "{{member}}"),
            is_stacked=True,
        ),
        graph(
            "Slots in use",
            "Builds as a share of the slots; above 100 % visitors wait for others' builds.",
            Query(
                f"max by (member) ({metric('member_builds')}) "
                f"/ (max by (member) ({metric('member_build_slots')}) > 0)",
                "{{member}}",
            ),
            unit=Unit.SHARE,
        ),
        graph(
            "Builds that failed",
            "A minute, by member. All members at once: something that all repositories need is "
            "broken, not the members.",
            Query(
                f"60 * sum by (member) ({rate('attempts_total', _BUILD_FAILED)})",
                "{{member}}",
                is_sparse=True,
            ),
            unit=Unit.PER_MINUTE,
            runbook="BinderBuildsFailEverywhere",
        ),
        graph(
            "Requests left at providers",
            "Of their APIs' limits, at the replica that has fewest. At 0 branches are not "
            "looked up any more; answers of before serve on.",
            Query(f"min by (provider) ({metric('provider_rate_limit_remaining')})", "{{provider}}"),
            runbook="BinderProviderQuotaLow",
        ),
    ),
)

DASHBOARD = Dashboard(
    uid="binderfed-images",
    title="Binder / Images and locality",
    description="Where are images, and do launches go there?",
    rows=(NOW, LOCALITY, BUILDS),
)
