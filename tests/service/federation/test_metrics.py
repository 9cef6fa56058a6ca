"""`/metrics` of a federation that works: every name, by the rules, and nothing of the gone."""

import shutil
import subprocess

import pytest

from tests.service.federation.test_members_api import post, report
from tests.support.eventually import eventually
from tests.support.fake_member import Failure, FakeMember
from tests.support.federation_server import FederationServer, running_federation
from tests.support.redis_servers import RedisServer
from tests.support.scrape import Scrape, naming_problems

PATTERN = "gh/owner/.*"
EVENT = {"pattern": PATTERN, "sessions": 50, "scope": "sum"}
PROMISED = {
    "launches_total",
    "launch_duration_seconds_count",
    "launch_estimate_seconds_count",
    "estimate_error_ratio_count",
    "attempts_total",
    "locality_total",
    "decisions_total",
    "streams_in_flight",
    "member_state",
    "member_info",
    "member_weight",
    "member_effective_weight",
    "member_sessions",
    "member_capacity",
    "member_builds",
    "member_build_slots",
    "member_images",
    "member_report_age_seconds",
    "mirror_lag_seconds",
    "mirror_facts",
    "quota_sessions",
    "event_quota_sessions",
    "redis_up",
    "panic",
    "eligible_members",
    "build_info",
    "background_tasks_crashed",
    "http_responses_total",
}
"""Names that dashboards and rules build on."""


async def scrape(federation: FederationServer) -> Scrape:
    return Scrape((await federation.client.get("/metrics")).text)


@pytest.fixture
async def watched(alpha: FakeMember, beta: FakeMember, redis_server: RedisServer) -> Scrape:
    """A scrape after a launch that failed over, with everything switched on."""
    policy = {"quotas": {"sessions": 100, "patterns": [EVENT]}}
    redis = {"url": redis_server.url}
    async with running_federation([alpha, beta], policy=policy, redis=redis) as federation:
        await post(federation, report())
        await post(federation, report("beta"), to="beta")
        first = await federation.launch()
        usual = alpha if first.last.fields["member"] == "alpha" else beta
        usual.fail_next(Failure.STATUS_500)
        await federation.launch()
        return await scrape(federation)


async def test_everything_promised_is_there_and_named_by_the_rules(watched: Scrape) -> None:
    there = {sample.name for family in watched.families for sample in family.samples}

    assert {f"binderfed_{name}" for name in PROMISED} - there == set()
    assert naming_problems(watched.families) == []
    assert watched.value("binderfed_redis_up") == 1
    assert watched.value("binderfed_panic") == 0
    assert watched.value("binderfed_quota_sessions", kind="limit") == 100
    quota = PATTERN
    assert watched.value("binderfed_event_quota_sessions", quota=quota, kind="limit") == 50
    assert (watched.value("binderfed_event_quota_sessions", quota=quota, kind="used") or 0) >= 1
    assert (watched.value("binderfed_member_images", member="alpha") or 0) >= 1
    assert watched.value("binderfed_member_sessions", member="alpha", kind="running") == 2


async def test_a_launch_that_failed_over_counts_as_such(watched: Scrape) -> None:
    launches = watched.series("binderfed_launches_total")
    attempts = watched.series("binderfed_attempts_total")

    assert [(each["outcome"], each["first_attempt"]) for each in launches] == [
        ("ready", "yes"),
        ("ready", "no"),
    ]
    assert launches[0]["member"] != launches[1]["member"]
    assert sorted((each["outcome"], each["phase"]) for each in attempts) == [
        ("member", "waiting"),
        ("ready", "ready"),
        ("ready", "ready"),
    ]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
async def test_promtool_finds_no_fault(federation: FederationServer) -> None:
    await federation.launch()
    text = (await federation.client.get("/metrics")).text
    # The redirector's names came from mybinder.org, and say count without being a counter.
    ours = "".join(f"{line}\n" for line in text.splitlines() if "federation_redirect" not in line)

    done = subprocess.run(
        ["promtool", "check", "metrics"], input=ours, text=True, capture_output=True, check=False
    )

    assert done.stdout + done.stderr == ""
    assert done.returncode == 0


async def test_a_member_without_a_report_has_no_load(federation: FederationServer) -> None:
    await post(federation, report())

    found = await scrape(federation)

    assert found.value("binderfed_member_capacity", member="alpha") == 10
    assert found.value("binderfed_member_capacity", member="beta") is None
    assert found.value("binderfed_member_report_age_seconds", member="beta") is None
    assert found.value("binderfed_member_weight", member="beta") == 1


async def test_a_dead_member_is_told_as_down(alpha: FakeMember, beta: FakeMember) -> None:
    async with running_federation([alpha, beta]) as federation:
        await beta.stop()

        async def is_down() -> bool:
            found = await scrape(federation)
            return found.value("binderfed_member_state", member="beta", state="down") == 1

        await eventually(is_down, what="beta to be told as down")
        found = await scrape(federation)
        states = {
            each["state"]: found.value("binderfed_member_state", **each)
            for each in found.series("binderfed_member_state")
            if each["member"] == "beta"
        }
        assert sum(value or 0 for value in states.values()) == 1, states
        assert found.value("binderfed_eligible_members") == 1
