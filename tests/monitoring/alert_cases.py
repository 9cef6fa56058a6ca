"""For each alert: series as replicas write them that make it fire, and such that must not.

Series are in promtool's notation, one sample a minute.
"""

from dataclasses import dataclass

REPLICA = 'namespace="binder",job="federation",instance="10.0.0.1:8080"'
OTHER = 'namespace="binder",job="federation",instance="10.0.0.2:8080"'
STATES = ("unknown", "up", "degraded", "suspect", "down", "recovering", "draining")


@dataclass(frozen=True)
class Case:
    """Input series, and the labels of the alerts that fire at the end."""

    alert: str
    series: dict[str, str]
    at: str = "30m"
    fires: tuple[dict[str, str], ...] = ()
    why: str = ""


def states(member: str, state: str, replica: str = REPLICA, values: str = "x60") -> dict[str, str]:
    """All states of a member at a replica, written as 0 or 1."""
    return {
        f'binderfed_member_state{{{replica},member="{member}",state="{each}"}}': (
            f"{int(each == state)}{values}"
        )
        for each in STATES
    } | {f'binderfed_member_ejected{{{replica},member="{member}"}}': f"0{values}"}


def one(name: str, value: str, labels: str = "", replica: str = REPLICA) -> dict[str, str]:
    """One series of a replica."""
    return {f"{name}{{{replica}{',' if labels else ''}{labels}}}": value}


def launches(outcome: str, first: str, per_minute: int, member: str = "a") -> dict[str, str]:
    labels = f'member="{member}",outcome="{outcome}",first_attempt="{first}"'
    return one("binderfed_launches_total", f"0+{per_minute}x60", labels)


def histogram(name: str, buckets: dict[str, int], labels: str = "") -> dict[str, str]:
    """A histogram whose buckets grow so much a minute."""
    found: dict[str, str] = {}
    for le, grows in buckets.items():
        joined = f'{labels},le="{le}"' if labels else f'le="{le}"'
        found |= one(f"{name}_bucket", f"0+{grows}x60", joined)
    return found


def load(member: str, running: int, capacity: int) -> dict[str, str]:
    labels = f'member="{member}"'
    return (
        one("binderfed_member_sessions", f"{running}x60", f'{labels},kind="running"')
        | one("binderfed_member_sessions", "0x60", f'{labels},kind="pending"')
        | one("binderfed_member_sessions", "5x60", f'{labels},kind="warm"')
        | one("binderfed_member_capacity", f"{capacity}x60", labels)
    )


def failed_builds(member: str, per_minute: int) -> dict[str, str]:
    labels = f'member="{member}",outcome="repository",phase="building"'
    return one("binderfed_attempts_total", f"0+{per_minute}x60", labels)


def made_builds(member: str, per_minute: int) -> dict[str, str]:
    labels = f'member="{member}",locality="none"'
    return one("binderfed_launch_duration_seconds_count", f"0+{per_minute}x60", labels)


INFO = one("binderfed_build_info", "1x60", 'version="1.0"')
INFO_2 = one("binderfed_build_info", "1x60", 'version="1.0"', OTHER)
A = 'member="a"'
FED = {"namespace": "binder", "job": "federation"}
OF_A = {**FED, "member": "a"}
AT_REPLICA = {**FED, "instance": "10.0.0.1:8080"}

GOOD_RATIO = {"0.9": 0, "1.1": 10, "+Inf": 10}
SLOW_RATIO = {"0.9": 0, "2": 0, "3": 10, "+Inf": 10}
AGENT = one("binderfed_member_info", "1x60", 'member="a",kind="agent",version="1.0"')

CASES = (
    Case("BinderMemberDown", states("a", "down"), fires=(OF_A,)),
    Case("BinderMemberDown", states("a", "up"), why="it is up"),
    Case("BinderMemberDown", states("a", "draining"), why="an operator drained it"),
    Case(
        "BinderMemberDown",
        states("a", "down") | states("a", "up", OTHER),
        why="one of two replicas is no majority",
    ),
    Case(
        "BinderMemberDown",
        states("a", "down") | states("a", "down", OTHER),
        fires=(OF_A,),
    ),
    Case(
        "BinderMemberDown",
        {name: value.replace("x60", "x20 stale") for name, value in states("a", "down").items()},
        why="it left the federation: its series ended",
    ),
    Case(
        "BinderMemberEjectedOften",
        one("binderfed_member_ejected", "0 1 1 0 0 1 0 1 0 0 0 1 0 0 " + "0x30", A),
        fires=(OF_A,),
    ),
    Case(
        "BinderMemberEjectedOften",
        one("binderfed_member_ejected", "0 1 1 0 0 0x40", A),
        why="once is no habit",
    ),
    Case(
        "BinderMemberCertificateEndsSoon",
        one("binderfed_member_tls_not_after_timestamp_seconds", "864000x60", A),
        fires=(OF_A,),
    ),
    Case(
        "BinderMemberCertificateEndsSoon",
        one("binderfed_member_tls_not_after_timestamp_seconds", "8640000x60", A),
        why="it holds for a hundred days",
    ),
    Case(
        "BinderReportMissing",
        AGENT | one("binderfed_member_report_age_seconds", "0+60x60", A),
        fires=(OF_A,),
    ),
    Case("BinderReportMissing", AGENT, fires=(OF_A,), why="there never was one"),
    Case(
        "BinderReportMissing",
        AGENT | one("binderfed_member_report_age_seconds", "5x60", A),
        why="reports come",
    ),
    Case(
        "BinderReportMissing",
        one("binderfed_member_info", "1x60", 'member="a",kind="binderhub",version="1.0"'),
        why="a BinderHub sends none",
    ),
    Case(
        "BinderReportMissing",
        AGENT
        | one("binderfed_member_report_age_seconds", "0+60x60", A)
        | one("binderfed_member_report_age_seconds", "5x60", A, OTHER),
        why="another replica has heard of it",
    ),
    Case(
        "BinderBuildsFailEverywhere",
        failed_builds("a", 2) | failed_builds("b", 2),
        at="45m",
        fires=(FED,),
    ),
    Case(
        "BinderBuildsFailEverywhere",
        failed_builds("a", 2) | made_builds("b", 2),
        at="45m",
        why="they fail at one member only",
    ),
    Case(
        "BinderBuildsFailEverywhere",
        failed_builds("a", 1) | failed_builds("b", 1) | made_builds("a", 2) | made_builds("b", 2),
        at="45m",
        why="most builds are well",
    ),
    Case(
        "BinderNoEligibleMember",
        one("binderfed_eligible_members", "0x60"),
        fires=(FED,),
    ),
    Case("BinderNoEligibleMember", one("binderfed_eligible_members", "1x60"), why="there is one"),
    Case("BinderPanic", one("binderfed_panic", "1x60"), fires=(FED,)),
    Case("BinderPanic", one("binderfed_panic", "0x60"), why="health counts"),
    Case(
        "BinderLaunchesFail",
        launches("ready", "yes", 8) | launches("launch_failed", "no", 2),
        fires=(FED,),
    ),
    Case(
        "BinderLaunchesFail",
        launches("ready", "yes", 5)
        | launches("build_failed", "yes", 5)
        | launches("repo_quota", "yes", 5)
        | launches("given_up", "yes", 5),
        why="repositories, quotas and impatience are no failures",
    ),
    Case(
        "BinderLaunchesFail",
        launches("ready", "yes", 0) | launches("launch_failed", "no", 1),
        at="12m",
        why="a dozen launches say nothing",
    ),
    Case(
        "BinderFirstAttemptSuccessLow",
        launches("ready", "yes", 7) | launches("ready", "no", 3),
        at="45m",
        fires=(FED,),
    ),
    Case(
        "BinderFirstAttemptSuccessLow",
        launches("ready", "yes", 99) | launches("ready", "no", 1),
        at="45m",
        why="nearly all succeed at once",
    ),
    Case(
        "BinderLaunchesSlow",
        launches("ready", "yes", 9) | histogram("binderfed_estimate_error_ratio", SLOW_RATIO),
        at="45m",
        fires=(FED,),
    ),
    Case(
        "BinderLaunchesSlow",
        launches("ready", "yes", 9) | histogram("binderfed_estimate_error_ratio", GOOD_RATIO),
        at="45m",
        why="they take what was expected",
    ),
    Case(
        "BinderProviderQuotaLow",
        one("binderfed_provider_rate_limit_remaining", "5000-200x60", 'provider="gh"'),
        fires=({**FED, "provider": "gh"},),
    ),
    Case(
        "BinderProviderQuotaLow",
        one("binderfed_provider_rate_limit_remaining", "60-1x60", 'provider="gh"'),
        why="half of a small limit is left",
    ),
    Case(
        "BinderCapacityNearlyUsed",
        load("a", 95, 100) | states("a", "up"),
        fires=(FED,),
    ),
    Case(
        "BinderCapacityNearlyUsed",
        load("a", 95, 100) | load("b", 10, 100) | states("a", "up") | states("b", "up"),
        why="another member has room",
    ),
    Case(
        "BinderCapacityNearlyUsed",
        load("a", 95, 100) | load("b", 10, 100) | states("a", "up") | states("b", "down"),
        fires=(FED,),
        why="the other member's room is of no use: it is down",
    ),
    Case(
        "BinderQuotaNearlyUsed",
        one("binderfed_quota_sessions", "95x60", 'kind="used"')
        | one("binderfed_quota_sessions", "100x60", 'kind="limit"'),
        fires=(FED,),
    ),
    Case(
        "BinderQuotaNearlyUsed",
        one("binderfed_quota_sessions", "95x60", 'kind="used"'),
        why="there is no limit",
    ),
    Case(
        "BinderEventQuotaNearlyUsed",
        one("binderfed_event_quota_sessions", "95x60", 'quota="course",kind="used"')
        | one("binderfed_event_quota_sessions", "100x60", 'quota="course",kind="limit"'),
        fires=({**FED, "quota": "course"},),
    ),
    Case(
        "BinderEventQuotaNearlyUsed",
        one("binderfed_event_quota_sessions", "20x60", 'quota="course",kind="used"')
        | one("binderfed_event_quota_sessions", "100x60", 'quota="course",kind="limit"'),
        why="there is room",
    ),
    Case("BinderReplicaDown", INFO | one("up", "1x10 0x50"), fires=(AT_REPLICA,)),
    Case(
        "BinderReplicaDown",
        INFO | INFO_2 | one("up", "1x60") | one("up", "1x60", replica=OTHER),
        why="both answer",
    ),
    Case(
        "BinderReplicaDown",
        {'up{job="something-else",instance="x"}': "0x60"} | INFO | one("up", "1x60"),
        why="it is none of ours",
    ),
    Case("BinderFederationAbsent", one("up", "0x60"), fires=({},)),
    Case("BinderFederationAbsent", INFO, why="there is one"),
    Case(
        "BinderReplicaSuspectsItself",
        one("binderfed_self_suspicion", "0x60", 'level="none"')
        | one("binderfed_self_suspicion", "1x60", 'level="suspected"')
        | one("binderfed_self_suspicion", "0x60", 'level="confirmed"'),
        fires=(AT_REPLICA,),
    ),
    Case(
        "BinderReplicaSuspectsItself",
        one("binderfed_self_suspicion", "1x60", 'level="none"')
        | one("binderfed_self_suspicion", "0x60", 'level="suspected"')
        | one("binderfed_self_suspicion", "0x60", 'level="confirmed"'),
        why="it does not",
    ),
    Case(
        "BinderBackgroundTaskCrashed",
        one("binderfed_background_tasks_crashed", "1x60"),
        fires=(AT_REPLICA,),
    ),
    Case(
        "BinderBackgroundTaskCrashed",
        one("binderfed_background_tasks_crashed", "0x60"),
        why="none has",
    ),
    Case(
        "BinderEventLoopSlow", one("binderfed_event_loop_lag_seconds", "3x60"), fires=(AT_REPLICA,)
    ),
    Case("BinderEventLoopSlow", one("binderfed_event_loop_lag_seconds", "0.02x60"), why="quick"),
    Case(
        "BinderErrorResponses",
        one("binderfed_http_responses_total", "0+90x60", 'status="2xx"')
        | one("binderfed_http_responses_total", "0+10x60", 'status="5xx"'),
        fires=(FED,),
    ),
    Case(
        "BinderErrorResponses",
        one("binderfed_http_responses_total", "0+90x60", 'status="2xx"')
        | one("binderfed_http_responses_total", "0+10x60", 'status="4xx"')
        | one("binderfed_http_responses_total", "0+1x60", 'status="5xx"'),
        why="visitors' mistakes are no errors of ours",
    ),
    Case("BinderRedisUnreachable", one("binderfed_redis_up", "0x60"), fires=(AT_REPLICA,)),
    Case("BinderRedisUnreachable", one("binderfed_redis_up", "1x60"), why="it is reached"),
    Case("BinderMirrorLags", one("binderfed_mirror_lag_seconds", "90x60"), fires=(AT_REPLICA,)),
    Case("BinderMirrorLags", one("binderfed_mirror_lag_seconds", "0.2x60"), why="it does not"),
    Case("BinderPolicyFileBroken", one("binderfed_policy_errors", "1x60"), fires=(AT_REPLICA,)),
    Case("BinderPolicyFileBroken", one("binderfed_policy_errors", "0x60"), why="it is good"),
    Case(
        "BinderSteeringStale",
        one("binderfed_steering_stale_seconds", "0+60x60"),
        fires=(AT_REPLICA,),
    ),
    Case("BinderSteeringStale", one("binderfed_steering_stale_seconds", "1x60"), why="it hears"),
    Case(
        "BinderSteeringDiffers",
        one("binderfed_steering_revision", "4x60")
        | one("binderfed_steering_revision", "5x60", replica=OTHER),
        fires=(FED,),
    ),
    Case(
        "BinderSteeringDiffers",
        one("binderfed_steering_revision", "4x60")
        | one("binderfed_steering_revision", "4x60", replica=OTHER),
        why="they agree",
    ),
)
