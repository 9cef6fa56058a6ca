"""Is there room, and for how long? For the days before a course, and while it lasts."""

from monitoring import questions as ask
from monitoring.metrics import metric, rate
from monitoring.panels import GOOD, Dashboard, Query, Row, Step, Unit, graph, number

_FULL = (GOOD, Step(0.8, "yellow"), Step(0.9, "red"))
_PLACES = f"sum({ask.capacity()} * {ask.well()})"
_USED = f"sum({ask.sessions()} * {ask.well()})"
_AT_QUOTA = 'outcome="quota"'
_QUOTA_CODES = 'code=~"pod_quota|repo_quota|user_quota|rate_limited"'


def _kind(kind: str) -> str:
    return f'kind="{kind}"'


def _quota(kind: str) -> str:
    return f"max by (quota) ({metric('event_quota_sessions', _kind(kind))})"


def _limit(kind: str) -> str:
    return f"max({metric('quota_sessions', _kind(kind))})"


NOW = Row(
    "Now",
    (
        number(
            "Sessions",
            "That run or start at members that are well.",
            Query(_USED),
            decimals=0,
        ),
        number(
            "Places",
            "At members that are well. A member whose report is too old counts as none.",
            Query(_PLACES),
            decimals=0,
        ),
        number(
            "In use",
            "Good: below 80 %. Above 90 % a burst finds no room.",
            Query(f"{_USED} / ({_PLACES} > 0)"),
            unit=Unit.SHARE,
            steps=_FULL,
            runbook="BinderCapacityNearlyUsed",
            decimals=1,
        ),
        number(
            "Without the largest member",
            "The share in use if the member with most places vanished now. Good: below 100 %.",
            Query(
                f"{_USED} / (({_PLACES} - max({ask.capacity()} * {ask.well()})) > 0)",
                is_sparse=True,
            ),
            unit=Unit.SHARE,
            steps=(GOOD, Step(0.9, "yellow"), Step(1, "red")),
            decimals=1,
        ),
        number(
            "Most used event quota",
            "The share of its sessions that the fullest event quota in force has. Nothing: no "
            "event.",
            Query(f"max({_quota('used')} / ({_quota('limit')} > 0))", is_sparse=True),
            unit=Unit.SHARE,
            steps=_FULL,
            runbook="BinderEventQuotaNearlyUsed",
            decimals=1,
        ),
        number(
            "Most visitors at once",
            "The most sessions in the time shown.",
            Query(f"max_over_time({_limit('used')}[$__range:$__interval])"),
            decimals=0,
        ),
    ),
)

ROOM = Row(
    "Room",
    (
        graph(
            "Sessions and places",
            "All members that are well, and the federation's own limit if it has one.",
            Query(_USED, "sessions"),
            Query(_PLACES, "places"),
            Query(_limit("limit"), "limit", is_sparse=True),
            runbook="BinderCapacityNearlyUsed",
        ),
        graph(
            "In use at each member",
            "Sessions as a share of places. Full is not unwell: launches go elsewhere.",
            Query(f"{ask.sessions()} / ({ask.capacity()} > 0)", "{{member}}"),
            unit=Unit.SHARE,
            runbook="BinderCapacityNearlyUsed",
        ),
        graph(
            "Sessions at each member",
            "That run or start.",
            Query(ask.sessions(), "{{member}}"),
            is_stacked=True,
        ),
        graph(
            "Arrivals and departures",
            "Launches a minute, and the change of sessions a minute: when departures do not keep "
            "up, see how long the room lasts.",
            Query(ask.launches_per_minute('outcome="ready"'), "begin"),
            Query(f"60 * deriv({_limit('used')}[$__rate_interval:])", "change"),
            unit=Unit.PER_MINUTE,
        ),
    ),
)

EVENTS = Row(
    "Events and limits",
    (
        graph(
            "Event quotas",
            "Sessions that count for each event's quota, and how many there may be.",
            Query(_quota("used"), "{{quota}}", is_sparse=True),
            Query(_quota("limit"), "{{quota}} limit", is_sparse=True),
            runbook="BinderEventQuotaNearlyUsed",
        ),
        graph(
            "Refused for want of room",
            "A minute: quotas and rate limits. In an event: is it the right people?",
            Query(
                f"60 * sum by (code) ({rate('refused_total', _QUOTA_CODES)})",
                "{{code}}",
                is_sparse=True,
            ),
            unit=Unit.PER_MINUTE,
        ),
        graph(
            "Attempts that found a member full",
            "A minute. Many: reports are older than the rush.",
            Query(
                f"60 * sum by (member) ({rate('attempts_total', _AT_QUOTA)})",
                "{{member}}",
                is_sparse=True,
            ),
            unit=Unit.PER_MINUTE,
        ),
        graph(
            "Warm servers",
            "They give way when launches need their places.",
            Query(ask.sessions_of("warm"), "{{member}}"),
            is_stacked=True,
        ),
    ),
)

DASHBOARD = Dashboard(
    uid="binderfed-capacity",
    title="Binder / Capacity and events",
    description="Is there room, and for how long?",
    rows=(NOW, ROOM, EVENTS),
)
